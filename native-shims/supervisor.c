#include "front.h"
int supervise(const struct front *front)
{
  execute_node(front, record_request(front, front->argv, true));
}
