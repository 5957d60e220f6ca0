# Guests of the demo that are QEMU machines: Debian's cloud kernel, busybox, no KVM. Sourced by ci/demo.sh.
# The words are those of ci/guests-netns.sh.
# shellcheck shell=bash

declare -A QEMU_IN QEMU_LOG QEMU_PID
QEMU_READY_S=120
QEMU_ANSWER_S=90

# qemu_prepare: finds the kernel (unpacking Debian's package, not installing it: a boot menu is not ours to change).
qemu_prepare() {
    local package
    install_packages "${PACKAGES_QEMU[@]}"
    KERNEL_TREE= KERNEL_IMAGE=$(compgen -G '/boot/vmlinuz-*-cloud-amd64' | sort -V | tail -n1 || true)
    if [ -z "$KERNEL_IMAGE" ]; then
        KERNEL_TREE=$ROOT/target/qemu-kernel
        KERNEL_IMAGE=$(compgen -G "$KERNEL_TREE/boot/vmlinuz-*-cloud-amd64" | sort -V | tail -n1 || true)
    fi
    [ -n "$KERNEL_IMAGE" ] && return
    say "downloading Debian's cloud kernel for the QEMU guests"
    mkdir -p "$KERNEL_TREE"
    apt-get -qq update || die "apt-get update failed: is there a network to the Debian mirror?"
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n1)
    [ -n "$package" ] || die "Debian's archive names no cloud kernel (linux-image-cloud-amd64)"
    (cd "$KERNEL_TREE" && apt-get -qq download "$package" 2>/dev/null && dpkg-deb -x "$package"_*.deb . &&
        rm -f "$package"_*.deb) || die "could not download $package"
    KERNEL_IMAGE=$(compgen -G "$KERNEL_TREE/boot/vmlinuz-*-cloud-amd64" | sort -V | tail -n1)
    depmod -b "$KERNEL_TREE" "${KERNEL_IMAGE##*/vmlinuz-}" || die "depmod failed on $KERNEL_TREE"
}

# qemu_start GUEST: boots it; qemu_ready waits for its console, so that two can boot at once.
qemu_start() {
    local guest=$1 fifo=$TMP/$1.in fd
    mkdir -p "$TMP/$guest"
    [ -e "$TMP/initrd.gz" ] ||
        bash "$ROOT/ci/qemu-initramfs.sh" "${KERNEL_TREE:-/}" "${KERNEL_IMAGE##*/vmlinuz-}" "$TMP/initrd.gz"
    mkfifo "$fifo"
    exec {fd}<>"$fifo"
    QEMU_IN[$guest]=$fd
    QEMU_LOG[$guest]=$TMP/$guest.console
    IFACE[$guest]=eth0
    truncate -s 64M "$TMP/$guest.disk"
    qemu-system-x86_64 -accel tcg -machine q35,memory-backend=m0 -cpu max -smp 1 -m 256M \
        -object memory-backend-memfd,id=m0,size=256M,share=on \
        -chardev "socket,id=c0,path=$(eni_socket "$guest"),server=on,wait=off" \
        -netdev vhost-user,id=n0,chardev=c0 \
        -device "virtio-net-pci,netdev=n0,mac=${MAC[$guest]},vectors=0,host_mtu=${MTU[$guest]}" \
        -drive "file=$TMP/$guest.disk,if=none,id=d0,format=raw" -device virtio-blk-pci,drive=d0 \
        -display none -monitor none -serial stdio -no-reboot \
        -kernel "$KERNEL_IMAGE" -initrd "$TMP/initrd.gz" \
        -append "console=ttyS0 quiet loglevel=1 panic=-1 vs.ip=${IP[$guest]}/24 vs.mtu=${MTU[$guest]}" \
        <&"$fd" >"${QEMU_LOG[$guest]}" 2>"$TMP/$guest.qemu" &
    QEMU_PID[$guest]=$!
    on_exit stop_pid $!
}

qemu_ready() {
    local tenths=$((QEMU_READY_S * 10))
    until grep -q '^@@ready' "${QEMU_LOG[$1]}"; do
        if ! kill -0 "${QEMU_PID[$1]}" 2>/dev/null || ((tenths-- <= 0)); then
            tail -n 20 "$TMP/$1.qemu" "${QEMU_LOG[$1]}" >&2
            die "QEMU guest $1 did not boot"
        fi
        sleep 0.1
    done
}

# qemu_run GUEST COMMAND: one line to the guest's console, its output and its status back.
qemu_run() {
    local id log=${QEMU_LOG[$1]} tenths=$((QEMU_ANSWER_S * 10)) status
    id=$(date +%s%N)
    printf '%s %s\n' "$id" "$2" >&"${QEMU_IN[$1]}"
    until status=$(tr -d '\r' <"$log" | sed -n "s/^@@end $id //p") && [ -n "$status" ]; do
        ((tenths-- > 0)) || die "QEMU guest $1 does not answer on its console: $2"
        sleep 0.1
    done
    tr -d '\r' <"$log" | sed -n "/^@@begin $id\$/,/^@@end $id /p" | sed '1d;$d'
    return "$status"
}

# qemu_take GUEST FILE...: into $TMP/GUEST, over the guest's disk.
qemu_take() {
    local guest=$1
    shift
    qemu_run "$guest" "tar cf /dev/vda $* && sync" >/dev/null || die "QEMU guest $guest could not hand over $*"
    tar -xf "$TMP/$guest.disk" -C "$TMP/$guest" "$@" 2>/dev/null || die "could not read $* from the disk of guest $guest"
}

qemu_http_server() { printf 'httpd -p 80 -h www;'; }
qemu_http_client() { printf 'wget -q -O got'; }
# busybox has a ping of its own, which its shell prefers and which prints no time stamps.
qemu_ping() { printf /tools/ping; }
