# Inner half, first process of its namespaces: makes the folder the root and lets the host go.
set -e
root=$1
work=$2
shift 2
tools=/usr/sbin:/usr/bin:/sbin:/bin
app_path=$PATH
PATH=$tools
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mkdir -p proc dev tmp .host
mount -t proc proc proc 2>/dev/null || :
for device in null zero full random urandom; do
    [ -e "dev/$device" ] || : > "dev/$device"
    mount --bind "/dev/$device" "dev/$device" 2>/dev/null || :
done
loader=
for candidate in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1 /lib64/ld64.so.2; do
    [ -e "$candidate" ] && loader=$candidate
done
# Their links are absolute and would lead nowhere once the root has changed.
loader=$(readlink -f "$loader")
umount=$(readlink -f "$(command -v umount)")
libraries=
for folder in /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu /lib/aarch64-linux-gnu /usr/lib/aarch64-linux-gnu /lib64 /usr/lib64 /lib /usr/lib; do
    libraries=$libraries:/.host$folder
done
pivot_root . .host
cd /
"/.host$loader" --library-path "${libraries#:}" "/.host$umount" -l /.host
if [ -e /.host/etc ] || [ -e /.host/proc ]; then
    echo 'the host is still in sight' >&2
    exit 125
fi
if [ "$1" = --check ]; then
    echo isolated
    exit 0
fi
PATH=$app_path
cd "/$work"
exec "$@"
