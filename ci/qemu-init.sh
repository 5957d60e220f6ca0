#!/bin/sh
# /init of a QEMU guest of the demo (busybox). Takes its address from the kernel's command line (vs.ip=10.0.0.10/24
# vs.mtu=1500), then serves commands on the serial console: a line "ID COMMAND" is run by sh, its output printed between
# "@@begin ID" and "@@end ID STATUS". The console is the host's only way in, so nothing else may write to it.
export PATH=/tools:/bin
cd /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
stty -F /dev/console raw -echo
for module in /modules/*.ko; do insmod "$module" 2>/dev/null; done

ip= mtu=1500
for word in $(cat /proc/cmdline); do
    case $word in
    vs.ip=*) ip=${word#vs.ip=} ;;
    vs.mtu=*) mtu=${word#vs.mtu=} ;;
    esac
done
waited=0
until [ -e /sys/class/net/eth0 ]; do
    waited=$((waited + 1))
    [ $waited -gt 100 ] && echo "@@fault no eth0" && poweroff -f
    usleep 100000
done
# No IPv6 chatter, and every packet in the captures as it was on the wire.
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
ethtool -K eth0 gro off gso off tso off >/dev/null 2>&1
ip link set lo up
ip link set eth0 mtu "$mtu" up
ip addr add "$ip" dev eth0
echo "@@ready $ip"

while IFS= read -r line; do
    id=${line%% *}
    echo "@@begin $id"
    sh -c "${line#* }" </dev/null 2>&1
    echo "@@end $id $?"
done
poweroff -f
