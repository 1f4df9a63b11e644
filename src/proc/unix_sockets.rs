//! Which Unix sockets are connected to each other: by `sock_diag(7)`, as `ss -xp`
//! does it, since `/proc` does not show that.

use std::io::Read;
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use rustc_hash::FxHashMap;

use crate::kernel::Tgid;

/// `linux/netlink.h`, `linux/sock_diag.h` and `linux/unix_diag.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const UDIAG_SHOW_PEER: u32 = 4;
const UNIX_DIAG_PEER: u16 = 2;
/// Bytes of a `struct nlmsghdr` and of a `struct unix_diag_msg`.
const HEADER: usize = 16;
const SOCKET: usize = 16;

/// The inode of each connected Unix socket of our network namespace, with that
/// of its peer; `None` if the kernel has no `unix_diag`.
pub(crate) fn peers() -> Option<FxHashMap<u64, u64>> {
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )
    .ok()?;
    let netlink = netlink.as_raw_fd();
    send(netlink, &request(), MsgFlags::empty()).ok()?;
    let mut peers = FxHashMap::default();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = recv(netlink, &mut buffer, MsgFlags::empty()).ok()?;
        if take(buffer.get(..length)?, &mut peers)? {
            return Some(peers);
        }
    }
}

/// The inode of the socket that listens at this address, as a process sees it: by
/// `/proc/PID/net/unix`.
pub(super) fn listener(tgid: Tgid, path: &[u8]) -> Option<u64> {
    /// More of the table is not read.
    const MOST: u64 = 4 << 20;
    let file = std::fs::File::open(format!("/proc/{tgid}/net/unix")).ok()?;
    let mut table = Vec::new();
    file.take(MOST).read_to_end(&mut table).ok()?;
    let mut lines = table.split(|byte| *byte == b'\n');
    lines.find_map(|line| listens(line, path))
}

/// The inode, if the line is that of a socket that listens there:
/// `0000000070e5e040: 00000002 00000000 00010000 0001 01 18435274 /run/x`
fn listens(line: &[u8], path: &[u8]) -> Option<u64> {
    /// `__SO_ACCEPTCON`.
    const ACCEPTS: u32 = 0x1_0000;
    let row = str::from_utf8(line.strip_suffix(path)?.strip_suffix(b" ")?).ok()?;
    let mut words = row.split_ascii_whitespace();
    let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
    let inode = words.nth(2)?.parse().ok()?;
    (flags & ACCEPTS != 0 && words.next().is_none()).then_some(inode)
}

/// Asks for all Unix sockets, in any state, with their peers.
fn request() -> Vec<u8> {
    let family = u32::from(nix::libc::AF_UNIX.cast_unsigned().to_le_bytes()[0]);
    let body: [u32; 6] = [
        u32::from_ne_bytes([family.to_le_bytes()[0], 0, 0, 0]),
        u32::MAX,
        0,
        UDIAG_SHOW_PEER,
        0,
        0,
    ];
    let length = HEADER + size_of_val(&body);
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(u32::try_from(length).unwrap_or(0).to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body.iter().flat_map(|word| word.to_ne_bytes()));
    bytes
}

/// Processes the messages of one answer. Returns whether it was the last; `None`
/// for an error.
fn take(mut messages: &[u8], peers: &mut FxHashMap<u64, u64>) -> Option<bool> {
    while !messages.is_empty() {
        let length = usize::try_from(word(messages, 0)?).ok()?;
        let message = messages.get(..length)?;
        match half(message, 4)? {
            NLMSG_DONE => return Some(true),
            NLMSG_ERROR => return None,
            _ => {}
        }
        let inode = word(message, HEADER + 4)?;
        if let Some(peer) = peer(message.get(HEADER + SOCKET..)?) {
            peers.insert(inode.into(), peer.into());
        }
        messages = messages.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Some(false)
}

/// The peer, from the attributes of a socket.
fn peer(mut attributes: &[u8]) -> Option<u32> {
    loop {
        let length = usize::from(half(attributes, 0)?);
        if half(attributes, 2)? == UNIX_DIAG_PEER {
            return word(attributes, 4);
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn inode(stream: &UnixStream) -> u64 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", stream.as_raw_fd())).unwrap();
        let link = link.to_str().unwrap().to_owned();
        let number = link.strip_prefix("socket:[").unwrap();
        number.strip_suffix(']').unwrap().parse().unwrap()
    }

    #[test]
    fn the_ends_of_a_pair_are_each_others_peers() {
        let (one, other) = UnixStream::pair().unwrap();
        // A kernel without unix_diag has no answer.
        let Some(peers) = peers() else {
            return;
        };
        let (one, other) = (inode(&one), inode(&other));
        assert_eq!(peers.get(&one), Some(&other));
        assert_eq!(peers.get(&other), Some(&one));
    }

    #[test]
    fn an_answer_that_is_cut_short_is_none() {
        let mut peers = FxHashMap::default();
        assert_eq!(take(&[40, 0, 0, 0, 20, 0], &mut peers), None);
        assert_eq!(take(&[], &mut peers), Some(false));
        let done = [16, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(take(&done, &mut peers), Some(true));
        let zero = [0; 16];
        assert_eq!(take(&zero, &mut peers), None);
    }

    #[test]
    fn a_listener_is_known_by_its_flag_and_address() {
        let line = |flags: &str| {
            let line = format!("0000000070e5e040: 00000002 00000000 {flags} 0001 01 77 /run/x y");
            listens(line.as_bytes(), b"/run/x y")
        };
        assert_eq!(line("00010000"), Some(77));
        assert_eq!(line("00000000"), None);
        let longer = b"00000000: 00000002 00000000 00010000 0001 01 77 /run/x y";
        assert_eq!(listens(longer, b"y"), None);
    }
}
