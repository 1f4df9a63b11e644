//! What a blocked thread waits for, as JSON and back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::observation::PipeSide;
use super::values::{Named, Text};
use crate::event::{self, KernelObject, MutexHolder, OtherEnd, WaitsOn};
use crate::kernel::{Signal, Tgid, Tid};

/// What a blocked thread waits for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum On {
    /// A pipe or a socket pair.
    Stream {
        /// The thread's descriptor.
        fd: i32,
        /// It is a pipe.
        is_pipe: bool,
        /// The thread writes to it; if not, it reads.
        writes: bool,
        /// The holders of the other end.
        others: Vec<PipeSide>,
        /// Whether every process could be examined.
        complete: bool,
    },
    /// A network socket.
    Connection {
        /// The thread's descriptor.
        fd: i32,
        /// Its own address.
        local: String,
        /// The peer's address; null if there is none.
        peer: Option<String>,
    },
    /// A terminal.
    Terminal {
        /// The thread's descriptor.
        fd: i32,
        /// Its path.
        path: Text,
    },
    /// Another file.
    File {
        /// The thread's descriptor; null while it is being opened.
        fd: Option<i32>,
        /// Its path.
        path: Text,
        /// The other end, if it is a named pipe.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fifo: Option<Fifo>,
    },
    /// A Unix socket whose queue of connections is full.
    Backlog {
        /// The thread's descriptor.
        fd: i32,
        /// The address: a path, or a name with `@` before it.
        path: Text,
        /// The holders of the listening socket.
        holders: Vec<PipeSide>,
    },
    /// A counter: eventfd.
    Eventfd {
        /// The thread's descriptor.
        fd: i32,
    },
    /// Signals, by a descriptor.
    Signalfd {
        /// The thread's descriptor.
        fd: i32,
        /// The signals that it takes.
        signals: Vec<Named>,
    },
    /// A timer, by a descriptor.
    Timerfd {
        /// The thread's descriptor.
        fd: i32,
        /// Nanoseconds until it expires; null if it is not set.
        left_ns: Option<u64>,
    },
    /// Changes of files.
    Inotify {
        /// The thread's descriptor.
        fd: i32,
        /// How many files and directories are watched.
        watches: u32,
    },
    /// The end of a process, by a pidfd.
    ProcessEnd {
        /// The process.
        pid: i32,
    },
    /// A lock of a file.
    Lock {
        /// The file.
        path: Text,
        /// The processes that hold it; with the descriptor -1 the one that took it.
        holders: Vec<PipeSide>,
    },
    /// A mutex.
    Mutex {
        /// The thread that holds it; null if not known.
        owner: Option<i32>,
        /// The process of that thread, if it is alive.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner_pid: Option<i32>,
        /// What is known of that thread.
        #[serde(default)]
        owner_is: OwnerIs,
        /// It lies in memory that several processes may have.
        #[serde(default)]
        is_shared: bool,
    },
    /// Something in the memory of a process, which has no owner; and the thread is the only
    /// one of the process.
    NoOtherThread,
    /// The end of a thread.
    ThreadEnd {
        /// The thread.
        tid: i32,
    },
    /// A kind that was added after this version; never written.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// The other end of a named pipe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Fifo {
    /// The thread writes to it; if not, it reads.
    pub writes: bool,
    /// The holders of the other end.
    pub others: Vec<PipeSide>,
    /// Whether every process could be examined.
    pub complete: bool,
}

/// What is known of the owner of a mutex.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OwnerIs {
    /// It is alive, or not known.
    #[default]
    Alive,
    /// It has ended.
    Dead,
    /// It is of an ancestor, which had the mutex locked when it forked: the waiter has a
    /// copy.
    Ancestor,
}

fn sides(sides: &[event::PipeSide]) -> Vec<PipeSide> {
    sides.iter().map(PipeSide::from).collect()
}

fn read_sides(sides: &[PipeSide]) -> Vec<event::PipeSide> {
    sides.iter().map(event::PipeSide::from).collect()
}

impl From<&WaitsOn> for On {
    fn from(on: &WaitsOn) -> On {
        match on {
            WaitsOn::Stream {
                fd,
                is_pipe,
                writes,
                others,
                complete,
            } => On::Stream {
                fd: *fd,
                is_pipe: *is_pipe,
                writes: *writes,
                others: sides(others),
                complete: *complete,
            },
            WaitsOn::Connection { fd, local, peer } => On::Connection {
                fd: *fd,
                local: local.clone(),
                peer: peer.clone(),
            },
            WaitsOn::Terminal { fd, path } => On::Terminal {
                fd: *fd,
                path: Text(path.clone()),
            },
            WaitsOn::File { fd, path, fifo } => On::File {
                fd: *fd,
                path: Text(path.clone()),
                fifo: fifo.as_ref().map(Fifo::from),
            },
            WaitsOn::Backlog { fd, path, holders } => On::Backlog {
                fd: *fd,
                path: Text(path.clone()),
                holders: sides(holders),
            },
            WaitsOn::Object { fd, object } => object_on(*fd, *object),
            WaitsOn::ProcessEnd { tgid } => On::ProcessEnd { pid: tgid.raw() },
            WaitsOn::Lock { path, holders } => On::Lock {
                path: Text(path.clone()),
                holders: sides(holders),
            },
            WaitsOn::Mutex { holder, is_shared } => mutex_on(*holder, *is_shared),
            WaitsOn::NoOtherThread => On::NoOtherThread,
            WaitsOn::ThreadEnd { tid } => On::ThreadEnd { tid: tid.raw() },
        }
    }
}

fn object_on(fd: i32, object: KernelObject) -> On {
    match object {
        KernelObject::Eventfd => On::Eventfd { fd },
        KernelObject::Signalfd { signals } => On::Signalfd {
            fd,
            signals: Signal::of_mask(signals).map(Named::from).collect(),
        },
        KernelObject::Timerfd { left } => On::Timerfd { fd, left_ns: left },
        KernelObject::Inotify { watches } => On::Inotify { fd, watches },
    }
}

fn mutex_on(holder: Option<MutexHolder>, is_shared: bool) -> On {
    let (owner, owner_pid, owner_is) = match holder {
        None => (None, None, OwnerIs::Alive),
        Some(MutexHolder::Thread(tgid, tid)) => (Some(tid), Some(tgid), OwnerIs::Alive),
        Some(MutexHolder::Dead(tid)) => (Some(tid), None, OwnerIs::Dead),
        Some(MutexHolder::Ancestor(tgid, tid)) => (Some(tid), Some(tgid), OwnerIs::Ancestor),
    };
    On::Mutex {
        owner: owner.map(Tid::raw),
        owner_pid: owner_pid.map(Tgid::raw),
        owner_is,
        is_shared,
    }
}

impl From<&OtherEnd> for Fifo {
    fn from(end: &OtherEnd) -> Fifo {
        Fifo {
            writes: end.writes,
            others: sides(&end.others),
            complete: end.complete,
        }
    }
}

impl From<Fifo> for OtherEnd {
    fn from(fifo: Fifo) -> OtherEnd {
        OtherEnd {
            writes: fifo.writes,
            others: read_sides(&fifo.others),
            complete: fifo.complete,
        }
    }
}

impl On {
    /// What a thread of this process waits for.
    pub(super) fn read(self, waiter: Tgid) -> Option<WaitsOn> {
        Some(match self {
            On::Stream {
                fd,
                is_pipe,
                writes,
                others,
                complete,
            } => WaitsOn::Stream {
                fd,
                is_pipe,
                writes,
                others: read_sides(&others),
                complete,
            },
            On::Connection { fd, local, peer } => WaitsOn::Connection { fd, local, peer },
            On::Terminal { fd, path } => WaitsOn::Terminal { fd, path: path.0 },
            On::File { fd, path, fifo } => WaitsOn::File {
                fd,
                path: path.0,
                fifo: fifo.map(OtherEnd::from),
            },
            On::Backlog { fd, path, holders } => WaitsOn::Backlog {
                fd,
                path: path.0,
                holders: read_sides(&holders),
            },
            On::Eventfd { fd } => object_of(fd, KernelObject::Eventfd),
            On::Signalfd { fd, signals } => {
                let signals = signals.iter().map(Signal::from);
                let signals = signals.fold(0, |mask, signal| mask | signal.bit());
                object_of(fd, KernelObject::Signalfd { signals })
            }
            On::Timerfd { fd, left_ns } => object_of(fd, KernelObject::Timerfd { left: left_ns }),
            On::Inotify { fd, watches } => object_of(fd, KernelObject::Inotify { watches }),
            On::ProcessEnd { pid } => WaitsOn::ProcessEnd {
                tgid: Tgid::new(pid),
            },
            On::Lock { path, holders } => WaitsOn::Lock {
                path: path.0,
                holders: read_sides(&holders),
            },
            On::Mutex {
                owner,
                owner_pid,
                owner_is,
                is_shared,
            } => {
                let tgid = owner_pid.map_or(waiter, Tgid::new);
                let holder = owner.map(Tid::new).map(|tid| match owner_is {
                    OwnerIs::Alive => MutexHolder::Thread(tgid, tid),
                    OwnerIs::Dead => MutexHolder::Dead(tid),
                    OwnerIs::Ancestor => MutexHolder::Ancestor(tgid, tid),
                });
                WaitsOn::Mutex { holder, is_shared }
            }
            On::NoOtherThread => WaitsOn::NoOtherThread,
            On::ThreadEnd { tid } => WaitsOn::ThreadEnd { tid: Tid::new(tid) },
            On::Unknown => return None,
        })
    }
}

fn object_of(fd: i32, object: KernelObject) -> WaitsOn {
    WaitsOn::Object { fd, object }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let side = event::PipeSide {
            tgid: Tgid::new(7),
            comm: event::Comm::new(b"cat"),
            fd: 3,
        };
        let waiter = Tgid::new(5);
        let mutex = |holder| WaitsOn::Mutex {
            holder,
            is_shared: true,
        };
        let (tgid, tid) = (Tgid::new(7), Tid::new(8));
        for on in [
            WaitsOn::File {
                fd: Some(3),
                path: b"/tmp/x".to_vec(),
                fifo: Some(OtherEnd {
                    writes: true,
                    others: vec![side],
                    complete: true,
                }),
            },
            WaitsOn::Backlog {
                fd: 3,
                path: b"@x".to_vec(),
                holders: vec![side],
            },
            object_of(4, KernelObject::Eventfd),
            object_of(
                4,
                KernelObject::Signalfd {
                    signals: 0x8001_0001,
                },
            ),
            object_of(4, KernelObject::Timerfd { left: None }),
            object_of(4, KernelObject::Timerfd { left: Some(5) }),
            object_of(4, KernelObject::Inotify { watches: 3 }),
            mutex(None),
            mutex(Some(MutexHolder::Thread(tgid, tid))),
            mutex(Some(MutexHolder::Dead(tid))),
            mutex(Some(MutexHolder::Ancestor(tgid, tid))),
            WaitsOn::NoOtherThread,
        ] {
            let text = serde_json::to_string(&On::from(&on)).unwrap();
            let read: On = serde_json::from_str(&text).unwrap();
            assert_eq!(read.read(waiter), Some(on), "{text}");
        }
    }
}
