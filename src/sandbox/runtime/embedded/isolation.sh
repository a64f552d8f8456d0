# Runs a command in namespaces of its own, with a folder as its whole file system.
# Outer half, on the host: ends the inner half when our own standard input closes, which happens
# at the latest when the sandbox dies. Arguments: unshare, inner script, root, work directory, command.
unshare=$1
inner=$2
shift 2
exec 3<&0
"$unshare" --user --map-root-user --mount --pid --ipc --uts --fork --kill-child \
    /bin/sh -c "$inner" inner "$@" </dev/null 3<&- &
child=$!
( read -r _ <&3; kill -9 "$child" ) 2>/dev/null &
watcher=$!
exec 3<&-
wait "$child"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
