//! The addresses of network sockets: `/proc/PID/net/tcp` and its like.

use std::fmt;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::event::WaitsOn;
use crate::kernel::Tgid;

/// More of a table is not read.
const MOST: u64 = 4 << 20;

/// The connection behind a socket of a process.
pub(super) fn connection(tgid: Tgid, fd: i32, inode: u64) -> Option<WaitsOn> {
    let inode = inode.to_string();
    ["tcp", "tcp6", "udp", "udp6"]
        .into_iter()
        .find_map(|table| {
            let file = std::fs::File::open(format!("/proc/{tgid}/net/{table}")).ok()?;
            let mut text = String::new();
            file.take(MOST).read_to_string(&mut text).ok()?;
            let (local, peer) = text.lines().find_map(|line| row(line, &inode))?;
            let known = (peer.1 != 0).then(|| peer.to_string());
            Some(WaitsOn::Connection {
                fd,
                local: local.to_string(),
                peer: known,
            })
        })
}

/// Address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address(IpAddr, u16);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.1),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.1),
        }
    }
}

/// Both ends of the socket with this inode, if the line is its.
fn row(line: &str, inode: &str) -> Option<(Address, Address)> {
    let mut words = line.split_ascii_whitespace();
    let (local, peer) = (words.nth(1)?, words.next()?);
    (words.nth(6)? == inode).then_some(())?;
    Some((address(local)?, address(peer)?))
}

/// `0100007F:1F90`: words of the address in the machine's byte order, and the port.
fn address(text: &str) -> Option<Address> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |index: usize| {
        let digits = address.get(index * 8..index * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    if address.len() == 8 {
        return Some(Address(Ipv4Addr::from(word(0)?).into(), port));
    }
    let words = [word(0)?, word(1)?, word(2)?, word(3)?];
    let bytes: [u8; 16] = words.as_flattened().try_into().ok()?;
    Some(Address(Ipv6Addr::from(bytes).to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_read_in_the_machine_s_order() {
        let line = "   0: 0100007F:1F90 0200000A:01BB 01 00000000:00000000 00:00000000 00000000  \
                    1000        0 571 1 00000000e6004cc5 100 0 0 10 0";
        let (local, peer) = row(line, "571").unwrap();
        assert_eq!(local.to_string(), "127.0.0.1:8080");
        assert_eq!(peer.to_string(), "10.0.0.2:443");
        assert_eq!(row(line, "57"), None);
        let v6 = address("00000000000000000000000001000000:0016").unwrap();
        assert_eq!(v6.to_string(), "[::1]:22");
        let mapped = address("0000000000000000FFFF00000100007F:0050").unwrap();
        assert_eq!(mapped.to_string(), "127.0.0.1:80");
    }
}
