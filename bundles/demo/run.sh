#!/bin/sh
# Makes a bundle out of programs of this host and runs it: `npm run demo`.
set -eu
cd "$(dirname "$0")/../.."

if [ "$(id -u)" != 0 ]; then
  echo 'the demo needs root: containers of other users are not supported yet' >&2
  exit 1
fi

home=$(mktemp -d /tmp/tsrunc-demo-XXXXXX)
trap 'rm -rf "$home"' EXIT

bin/tsrunc bundle new "$home/bundle" --from-host sh cat echo grep id ls readlink sed tr >"$home/made"
cp bundles/demo/config.json "$home/bundle/config.json"
cp bundles/demo/show.sh "$home/bundle/rootfs/show.sh"
readlink /proc/self/ns/* >"$home/bundle/rootfs/etc/namespaces-of-the-host"

echo "A bundle out of programs of this host, with bundles/demo/config.json; what its pid 1 sees:"
echo
bin/tsrunc run --bundle "$home/bundle" "tsrunc-demo-$$"
echo
echo "It took $(bin/tsrunc plan --bundle "$home/bundle" | grep -c .) steps: bin/tsrunc plan --bundle DIR lists them, each with the field that asks for it."
