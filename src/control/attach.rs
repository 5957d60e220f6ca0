//! How a guest is attached to an ENI's socket, ready to paste.

use super::model::{EniSpec, SocketMode};
use crate::wire::Mac;

/// `-chardev … -netdev … -device …` for QEMU.
pub(super) fn qemu(eni: &EniSpec) -> String {
    let id = &eni.id;
    let server = match eni.mode {
        SocketMode::Client => ",server=on,wait=off",
        SocketMode::Server => ",reconnect=1",
    };
    let queues = match eni.queue_pairs {
        0 | 1 => (String::new(), String::new()),
        n => (format!(",queues={n}"), format!(",mq=on,vectors={}", 2 * u32::from(n) + 2)),
    };
    format!(
        "-chardev socket,id={id},path={path}{server} -netdev vhost-user,id=net-{id},chardev={id}{q} \
         -device virtio-net-pci,netdev=net-{id},mac={mac},host_mtu={mtu}{mq}",
        path = eni.socket.display(),
        q = queues.0,
        mq = queues.1,
        mac = Mac(eni.mac),
        mtu = eni.mtu,
    )
}

/// An `<interface>` for libvirt, on one line.
pub(super) fn libvirt(eni: &EniSpec) -> String {
    let path = xml(&eni.socket.display().to_string());
    let source = match eni.mode {
        SocketMode::Client => format!("<source type='unix' path='{path}' mode='server'/>"),
        SocketMode::Server => {
            format!("<source type='unix' path='{path}' mode='client'><reconnect enabled='yes' timeout='1'/></source>")
        }
    };
    let driver = if eni.queue_pairs > 1 { format!("<driver queues='{}'/>", eni.queue_pairs) } else { String::new() };
    format!(
        "<interface type='vhostuser'><mac address='{mac}'/>{source}<model type='virtio'/>{driver}<mtu size='{mtu}'/>\
         </interface>",
        mac = Mac(eni.mac),
        mtu = eni.mtu,
    )
}

/// Text as it stands in an XML attribute.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&apos;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::control::tests::{load, shipped};

    #[test]
    fn the_lines_fit_the_port() {
        let (mut inventory, mirror) = shipped();
        inventory["NetworkInterfaces"][0]["Socket"] = json!("/tmp/it's.sock");
        inventory["NetworkInterfaces"][1]["QueuePairs"] = json!(4);
        inventory["NetworkInterfaces"][1]["SocketMode"] = json!("server");
        inventory["NetworkInterfaces"][1]["Mtu"] = json!(8500);
        let model = load(&inventory, &mirror).unwrap();
        assert_eq!(
            libvirt(&model.enis[0]),
            "<interface type='vhostuser'><mac address='02:00:00:00:00:0a'/><source type='unix' \
             path='/tmp/it&apos;s.sock' mode='server'/><model type='virtio'/><mtu size='1500'/></interface>"
        );
        assert_eq!(
            libvirt(&model.enis[1]),
            "<interface type='vhostuser'><mac address='02:00:00:00:00:0b'/><source type='unix' \
             path='/run/vswitch/eni/eni-b.sock' mode='client'><reconnect enabled='yes' timeout='1'/></source>\
             <model type='virtio'/><driver queues='4'/><mtu size='8500'/></interface>"
        );
        assert_eq!(
            qemu(&model.enis[0]),
            "-chardev socket,id=eni-a,path=/tmp/it's.sock,server=on,wait=off -netdev \
             vhost-user,id=net-eni-a,chardev=eni-a -device \
             virtio-net-pci,netdev=net-eni-a,mac=02:00:00:00:00:0a,host_mtu=1500"
        );
        assert_eq!(
            qemu(&model.enis[1]),
            "-chardev socket,id=eni-b,path=/run/vswitch/eni/eni-b.sock,reconnect=1 -netdev \
             vhost-user,id=net-eni-b,chardev=eni-b,queues=4 -device \
             virtio-net-pci,netdev=net-eni-b,mac=02:00:00:00:00:0b,host_mtu=8500,mq=on,vectors=10"
        );
    }
}
