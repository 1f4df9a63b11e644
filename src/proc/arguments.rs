//! The arguments of a process, with a time limit: they are in its own memory, and
//! a page of it may have to be filled by another process, or its memory be locked.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::{read, threads};
use crate::kernel::Tgid;

/// How long one read may take.
const LIMIT: Duration = Duration::from_millis(300);
/// How many reads may exceed it before no more is read.
const MOST_STUCK: usize = 4;

/// Reads arguments on a thread of its own, which is left behind where it is stuck.
#[derive(Debug, Default)]
pub(crate) struct ArgumentReader {
    worker: Option<Worker>,
    stuck: usize,
}

#[derive(Debug)]
struct Worker {
    asked: Sender<Tgid>,
    read: Receiver<Option<Vec<Vec<u8>>>>,
}

impl ArgumentReader {
    /// The arguments; `None` if it has no memory, which goes before a process is a
    /// zombie, or if they cannot be read in time.
    pub(crate) fn read(&mut self, tgid: Tgid) -> Option<Vec<Vec<u8>>> {
        if self.stuck >= MOST_STUCK {
            return None;
        }
        if self.worker.is_none() {
            self.worker = Worker::start();
        }
        let worker = self.worker.as_ref()?;
        worker.asked.send(tgid).ok()?;
        match worker.read.recv_timeout(LIMIT) {
            Ok(arguments) => arguments,
            Err(RecvTimeoutError::Timeout) => {
                self.worker = None;
                self.stuck += 1;
                None
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.worker = None;
                None
            }
        }
    }
}

impl Worker {
    fn start() -> Option<Worker> {
        let (asked, questions) = channel();
        let (answers, read) = channel();
        let thread = std::thread::Builder::new().name("arguments".into());
        let work = move || {
            for tgid in questions {
                if answers.send(arguments(tgid)).is_err() {
                    break;
                }
            }
        };
        thread.spawn(work).ok()?;
        Some(Worker { asked, read })
    }
}

/// The memory is that of any live thread: the main thread may be dead.
fn arguments(tgid: Tgid) -> Option<Vec<Vec<u8>>> {
    let of_leader = read(&format!("/proc/{tgid}/cmdline")).unwrap_or_default();
    let of_threads = || {
        let tids = threads(tgid.leader()).into_iter();
        let texts = tids.filter_map(|tid| read(&format!("/proc/{tgid}/task/{tid}/cmdline")).ok());
        texts.into_iter().find(|text| !text.is_empty())
    };
    let text = if of_leader.is_empty() {
        of_threads()?
    } else {
        of_leader
    };
    split(&text)
}

/// Each ends with a 0 byte. A program that puts a title in their place fills up with
/// such bytes, so that empty arguments at the end cannot be told from those.
pub(super) fn split(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let last = text.iter().rposition(|byte| *byte != 0)?;
    let text = text.get(..=last)?;
    Some(text.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_end_with_a_zero() {
        let words = |text: &[u8]| split(text);
        let sh = vec![b"sh".to_vec(), b"".to_vec(), b"x y".to_vec()];
        assert_eq!(words(b"sh\0\0x y\0"), Some(sh.clone()));
        assert_eq!(words(b"sh\0\0x y\0\0\0"), Some(sh));
        assert_eq!(
            words(b"nginx: worker"),
            Some(vec![b"nginx: worker".to_vec()])
        );
        assert_eq!(words(b""), None);
    }

    #[test]
    fn our_own_are_read() {
        let own = Tgid::new(i32::try_from(std::process::id()).unwrap());
        let read = ArgumentReader::default().read(own).unwrap();
        let given: Vec<Vec<u8>> = std::env::args().map(String::into_bytes).collect();
        assert_eq!(read, given);
        assert_eq!(ArgumentReader::default().read(Tgid::new(i32::MAX)), None);
    }
}
