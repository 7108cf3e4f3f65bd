/**
 * Of Kubernetes' Container Runtime Interface, version v1, what the test speaks: its names and numbers
 * (kubernetes/cri-api, pkg/apis/runtime/v1).
 */
export const MESSAGES = `
syntax = "proto3";
package runtime.v1;

message VersionRequest { string version = 1; }
message VersionResponse { string runtime_name = 2; string runtime_version = 3; }

message StatusRequest { bool verbose = 1; }
message StatusResponse { repeated RuntimeHandler runtime_handlers = 3; }
message RuntimeHandler { string name = 1; RuntimeHandlerFeatures features = 2; }
message RuntimeHandlerFeatures { bool recursive_read_only_mounts = 1; bool user_namespaces = 2; }

message PodSandboxMetadata { string name = 1; string uid = 2; string namespace = 3; }
message PodSandboxConfig {
  PodSandboxMetadata metadata = 1;
  string hostname = 2;
  string log_directory = 3;
  LinuxPodSandboxConfig linux = 8;
}
message LinuxPodSandboxConfig {
  string cgroup_parent = 1;
  LinuxSandboxSecurityContext security_context = 2;
  map<string, string> sysctls = 3;
}
message LinuxSandboxSecurityContext { NamespaceOption namespace_options = 1; bool privileged = 6; }
message NamespaceOption {
  NamespaceMode network = 1;
  NamespaceMode pid = 2;
  NamespaceMode ipc = 3;
  UserNamespace userns_options = 5;
}
enum NamespaceMode { POD = 0; CONTAINER = 1; NODE = 2; }
message UserNamespace { NamespaceMode mode = 1; repeated IdMapping uids = 2; repeated IdMapping gids = 3; }
message IdMapping { uint32 host_id = 1; uint32 container_id = 2; uint32 length = 3; }

message RunPodSandboxRequest { PodSandboxConfig config = 1; string runtime_handler = 2; }
message RunPodSandboxResponse { string pod_sandbox_id = 1; }
message PodSandboxRequest { string pod_sandbox_id = 1; }

message ImageSpec { string image = 1; }
message ContainerMetadata { string name = 1; }
message Mount {
  string container_path = 1;
  string host_path = 2;
  bool readonly = 3;
  repeated IdMapping uidMappings = 6;
  repeated IdMapping gidMappings = 7;
  bool recursive_read_only = 8;
}
message ContainerConfig {
  ContainerMetadata metadata = 1;
  ImageSpec image = 2;
  repeated string command = 3;
  string working_dir = 5;
  repeated Mount mounts = 7;
  string log_path = 11;
  bool tty = 14;
  LinuxContainerConfig linux = 15;
}
message LinuxContainerConfig {
  LinuxContainerResources resources = 1;
  LinuxContainerSecurityContext security_context = 2;
}
message LinuxContainerResources {
  int64 cpu_period = 1;
  int64 cpu_quota = 2;
  int64 cpu_shares = 3;
  int64 memory_limit_in_bytes = 4;
}
message Int64Value { int64 value = 1; }
message LinuxContainerSecurityContext {
  bool privileged = 2;
  NamespaceOption namespace_options = 3;
  Int64Value run_as_user = 5;
  bool readonly_rootfs = 7;
  bool no_new_privs = 11;
  SecurityProfile seccomp = 15;
}
message SecurityProfile { ProfileType profile_type = 1; }
enum ProfileType { RuntimeDefault = 0; Unconfined = 1; }

message CreateContainerRequest {
  string pod_sandbox_id = 1;
  ContainerConfig config = 2;
  PodSandboxConfig sandbox_config = 3;
}
message CreateContainerResponse { string container_id = 1; }
message ContainerRequest { string container_id = 1; int64 timeout = 2; }
message Nothing {}

message ContainerStatusResponse { ContainerStatus status = 1; }
message ContainerStatus { int32 state = 3; int32 exit_code = 7; string reason = 10; }

message UpdateContainerResourcesRequest { string container_id = 1; LinuxContainerResources linux = 2; }

message ExecSyncRequest { string container_id = 1; repeated string cmd = 2; int64 timeout = 3; }
message ExecSyncResponse { bytes stdout = 1; bytes stderr = 2; int32 exit_code = 3; }
message ExecRequest {
  string container_id = 1;
  repeated string cmd = 2;
  bool tty = 3;
  bool stdin = 4;
  bool stdout = 5;
  bool stderr = 6;
}
message ExecResponse { string url = 1; }

message UInt64Value { uint64 value = 1; }
message ContainerStatsResponse { ContainerStats stats = 1; }
message ContainerStats { CpuUsage cpu = 2; MemoryUsage memory = 3; }
message CpuUsage { UInt64Value usage_core_nano_seconds = 2; }
message MemoryUsage { UInt64Value working_set_bytes = 2; }
`
