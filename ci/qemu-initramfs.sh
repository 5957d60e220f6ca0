#!/bin/bash
# Builds the initramfs of the demo's QEMU guests: busybox, Debian's virtio modules, ci/qemu-init.sh as /init, and the
# instruments from the host that busybox lacks, with their libraries, in /tools. Fails with one sentence.
#   ci/qemu-initramfs.sh KERNEL_TREE KERNEL_RELEASE OUT
# KERNEL_TREE: a directory with lib/modules/KERNEL_RELEASE ("/" for an installed kernel).
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
(($# == 3)) || { printf 'usage: %s KERNEL_TREE KERNEL_RELEASE OUT\n' "$0" >&2 && exit 2; }
tree=${1%/} release=$2 out=$3

die() { printf 'error: %s\n' "$*" >&2 && exit 1; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,tools,dev,proc,sys,tmp,modules,etc}

busybox=$(command -v busybox) || die "no busybox: apt-get install busybox-static"
file_is_static() { ! ldd "$1" >/dev/null 2>&1; }
file_is_static "$busybox" || die "$busybox needs libraries: apt-get install busybox-static"
cp "$busybox" "$root/bin/busybox"
"$busybox" --list | grep -vx busybox | while read -r applet; do ln -sf busybox "$root/bin/$applet"; done
install -m 755 "$HERE/qemu-init.sh" "$root/init"
echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd" # tcpdump looks its user up

# Modules in the order in which they load, uncompressed whatever Debian ships.
number=10
for module in virtio_pci virtio_net virtio_blk; do
    modprobe -d "${tree:-/}" -S "$release" --show-depends "$module" >"$root/order" 2>/dev/null ||
        die "kernel $release has no module $module under ${tree:-/}"
    while read -r word path _; do
        [ "$word" = insmod ] || continue # "builtin" needs nothing
        name=$(basename "$path" | sed 's/\.ko.*//')
        compgen -G "$root/modules/*-$name.ko" >/dev/null && continue
        target=$root/modules/$number-$name.ko
        case $path in
        *.xz) xz -dc "$path" >"$target" ;;
        *.zst) zstd -qdc "$path" >"$target" ;;
        *.gz) gzip -dc "$path" >"$target" ;;
        *) cp "$path" "$target" ;;
        esac
        number=$((number + 1))
    done <"$root/order"
done
rm "$root/order"

for program in tcpdump ethtool ping socat; do
    path=$(command -v $program) || die "no $program on this machine"
    cp -L "$path" "$root/tools/$program"
    ldd "$path" | grep -oE '/[^ ]+' | sort -u | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -Lu "$library" "$root$library"
    done
done

(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$out" || die "could not write $out"
