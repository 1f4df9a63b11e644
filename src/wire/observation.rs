//! What was looked up of processes, as JSON and back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{Int, Text};
use crate::event::{self, BlockedIn, DeadLeader, ZombieProbe};
use crate::kernel::{Tgid, Tid};

/// What a probe of `/proc` showed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub enum Observation {
    /// Probe of a child that ended a while ago.
    ZombieProbe {
        /// Its pid.
        child: i32,
        /// Its parent; null if it is no longer a zombie.
        zombie: Option<Owner>,
    },
    /// Probe of the children of a process that is blocked in a wait.
    BlockedChildren {
        /// The state of the children.
        children: Vec<BlockedChild>,
        /// The process handles a signal that a timer or a descriptor can send it.
        timers: bool,
    },
    /// Probe of a process whose leader has exited.
    Leader {
        /// A thread that is alive.
        living: i32,
        /// How many are alive.
        threads: u64,
    },
    /// Probe of a thread that is blocked on streams after the death of a child.
    Streams {
        /// The child.
        dead_child: i32,
        /// Voluntary context switches of the thread so far.
        sleeps: u64,
        /// What it waits for.
        streams: Vec<Stream>,
    },
    /// Probe of what the launched command left running.
    Survivors {
        /// Its descendants that are alive.
        survivors: Vec<Survivor>,
    },
    /// Probe of a process that polled for its children: its only thread sleeps until
    /// a signal arrives, and it handles none but SIGCHLD and requests to end.
    AwaitsSignal,
}

/// A pipe or an end of a socket pair that a thread waits for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Stream {
    /// The thread's descriptor.
    pub fd: i32,
    /// The pipe, or its end of the socket pair.
    pub inode: Int,
    /// The holders of the other end.
    pub others: Vec<PipeSide>,
    /// Whether every process could be examined.
    pub complete: bool,
}

/// A process that outlives the launched command.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Survivor {
    /// Its pid.
    pub pid: i32,
    /// It holds a pipe or socket that is the command's standard output.
    pub holds_output: bool,
    /// It holds one that is its standard error.
    pub holds_error: bool,
}

/// A thread that waits for SIGCHLD with sigwait or a signalfd.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// The thread.
    pub tid: i32,
    /// Another thread of the process that does not block SIGCHLD; absent for
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblocked: Option<i32>,
}

/// The parent of a zombie.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Owner {
    /// Its pid.
    pub parent: i32,
    /// Its process group; 0 if not known.
    pub group: i32,
    /// The zombie's process group.
    pub child_group: i32,
    /// Another process traces the zombie, so that its parent cannot reap it.
    pub traced: bool,
    /// SIGCHLD is blocked in every thread of the parent, has a handler, and is
    /// pending.
    pub blocked_and_pending: bool,
    /// The number of the system call, in x86-64's table, that the parent's main
    /// thread is in; absent for none, or if not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_call: Option<u32>,
    /// A thread of the parent that takes SIGCHLD without a handler; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<Listener>,
}

/// A child of a blocked process.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BlockedChild {
    /// Its pid.
    pub pid: i32,
    /// The pipe that it is blocked on; null if it is on none.
    pub pipe: Option<Pipe>,
}

/// A pipe that a process is blocked on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Pipe {
    /// Whether it writes; if not, it reads.
    pub writes: bool,
    /// Its descriptor.
    pub fd: i32,
    /// The pipe.
    pub inode: Int,
    /// The holders of the other end.
    pub others: Vec<PipeSide>,
    /// Whether every process could be examined.
    pub complete: bool,
}

/// A descriptor of the other end of a pipe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PipeSide {
    /// The process that holds it.
    pub pid: i32,
    /// The name of the process.
    pub comm: Text,
    /// The descriptor.
    pub fd: i32,
}

impl From<&event::Observation> for Observation {
    fn from(seen: &event::Observation) -> Observation {
        match seen {
            event::Observation::ZombieProbe(probe) => Observation::ZombieProbe {
                child: probe.child.raw(),
                zombie: probe.zombie.as_ref().map(Owner::from),
            },
            event::Observation::BlockedChildren { children, timers } => {
                Observation::BlockedChildren {
                    children: children.iter().map(BlockedChild::from).collect(),
                    timers: *timers,
                }
            }
            event::Observation::Leader(leader) => Observation::Leader {
                living: leader.living.raw(),
                threads: leader.threads as u64,
            },
            event::Observation::Streams(reader) => Observation::Streams {
                dead_child: reader.child.raw(),
                sleeps: reader.sleeps,
                streams: reader.streams.iter().map(Stream::from).collect(),
            },
            event::Observation::Survivors(survivors) => Observation::Survivors {
                survivors: survivors.iter().map(Survivor::from).collect(),
            },
            event::Observation::AwaitsSignal => Observation::AwaitsSignal,
        }
    }
}

impl From<&event::Owner> for Owner {
    fn from(owner: &event::Owner) -> Owner {
        Owner {
            parent: owner.parent.raw(),
            group: owner.group,
            child_group: owner.child_group,
            traced: owner.traced,
            blocked_and_pending: owner.blocked_and_pending,
            parent_call: owner.parent_call,
            listener: owner.listener.map(|listener| Listener {
                tid: listener.tid.raw(),
                unblocked: listener.unblocked.map(Tid::raw),
            }),
        }
    }
}

impl From<&event::Stream> for Stream {
    fn from(stream: &event::Stream) -> Stream {
        Stream {
            fd: stream.fd,
            inode: stream.inode.into(),
            others: stream.others.iter().map(PipeSide::from).collect(),
            complete: stream.complete,
        }
    }
}

impl From<&event::Survivor> for Survivor {
    fn from(survivor: &event::Survivor) -> Survivor {
        Survivor {
            pid: survivor.tgid.raw(),
            holds_output: survivor.holds_output,
            holds_error: survivor.holds_error,
        }
    }
}

impl From<&event::BlockedChild> for BlockedChild {
    fn from(child: &event::BlockedChild) -> BlockedChild {
        let pipe = match &child.within {
            BlockedIn::Other => None,
            BlockedIn::Pipe {
                writes,
                fd,
                inode,
                others,
                complete,
            } => Some(Pipe {
                writes: *writes,
                fd: *fd,
                inode: (*inode).into(),
                others: others.iter().map(PipeSide::from).collect(),
                complete: *complete,
            }),
        };
        BlockedChild {
            pid: child.child.raw(),
            pipe,
        }
    }
}

impl From<&event::PipeSide> for PipeSide {
    fn from(side: &event::PipeSide) -> PipeSide {
        PipeSide {
            pid: side.tgid.raw(),
            comm: side.comm.into(),
            fd: side.fd,
        }
    }
}

impl From<Observation> for event::Observation {
    fn from(seen: Observation) -> event::Observation {
        match seen {
            Observation::ZombieProbe { child, zombie } => {
                event::Observation::ZombieProbe(ZombieProbe {
                    child: Tgid::new(child),
                    zombie: zombie.map(event::Owner::from),
                })
            }
            Observation::BlockedChildren { children, timers } => {
                event::Observation::BlockedChildren {
                    children: children
                        .into_iter()
                        .map(event::BlockedChild::from)
                        .collect(),
                    timers,
                }
            }
            Observation::Leader { living, threads } => event::Observation::Leader(DeadLeader {
                living: Tid::new(living),
                threads: usize::try_from(threads).unwrap_or(usize::MAX),
            }),
            Observation::Streams {
                dead_child,
                sleeps,
                streams,
            } => event::Observation::Streams(event::BlockedReader {
                child: Tgid::new(dead_child),
                sleeps,
                streams: streams.into_iter().map(event::Stream::from).collect(),
            }),
            Observation::Survivors { survivors } => event::Observation::Survivors(
                survivors.into_iter().map(event::Survivor::from).collect(),
            ),
            Observation::AwaitsSignal => event::Observation::AwaitsSignal,
        }
    }
}

impl From<Owner> for event::Owner {
    fn from(owner: Owner) -> event::Owner {
        event::Owner {
            parent: Tgid::new(owner.parent),
            child_group: owner.child_group,
            group: owner.group,
            traced: owner.traced,
            blocked_and_pending: owner.blocked_and_pending,
            parent_call: owner.parent_call,
            listener: owner.listener.map(|listener| event::SigchldListener {
                tid: Tid::new(listener.tid),
                unblocked: listener.unblocked.map(Tid::new),
            }),
        }
    }
}

impl From<Stream> for event::Stream {
    fn from(stream: Stream) -> event::Stream {
        event::Stream {
            fd: stream.fd,
            inode: stream.inode.unsigned(),
            others: stream.others.iter().map(event::PipeSide::from).collect(),
            complete: stream.complete,
        }
    }
}

impl From<Survivor> for event::Survivor {
    fn from(survivor: Survivor) -> event::Survivor {
        event::Survivor {
            tgid: Tgid::new(survivor.pid),
            holds_output: survivor.holds_output,
            holds_error: survivor.holds_error,
        }
    }
}

impl From<&PipeSide> for event::PipeSide {
    fn from(side: &PipeSide) -> event::PipeSide {
        event::PipeSide {
            tgid: Tgid::new(side.pid),
            comm: (&side.comm).into(),
            fd: side.fd,
        }
    }
}

impl From<BlockedChild> for event::BlockedChild {
    fn from(child: BlockedChild) -> event::BlockedChild {
        let within = child.pipe.map_or(BlockedIn::Other, |pipe| BlockedIn::Pipe {
            writes: pipe.writes,
            fd: pipe.fd,
            inode: pipe.inode.unsigned(),
            others: pipe.others.iter().map(event::PipeSide::from).collect(),
            complete: pipe.complete,
        });
        event::BlockedChild {
            child: Tgid::new(child.pid),
            within,
        }
    }
}
