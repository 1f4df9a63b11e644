//! What comes with a signal, as JSON and back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{Address, Int, Named};
use crate::kernel::{self, FaultDetail, Fields, NsPid, SigInfo, Value};

/// A `siginfo_t`; names without `si_`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Info {
    /// The signal; 0 if waitid found nothing.
    pub signo: Named,
    /// `si_code`: what sent it.
    pub code: Named,
    /// `si_errno`, nearly always 0.
    pub errno: i32,
    /// The members that depend on what sent it.
    #[serde(flatten)]
    pub fields: InfoFields,
}

/// The members of a `siginfo_t` that depend on what sent it (`man 2 sigaction`);
/// pids are those of the receiver's namespace.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "layout", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the members of siginfo_t, without si_")]
pub enum InfoFields {
    Kill {
        pid: i32,
        uid: u32,
    },
    Timer {
        timerid: i32,
        overrun: i32,
        value: Address,
    },
    Queue {
        pid: i32,
        uid: u32,
        value: Address,
    },
    Child {
        pid: i32,
        uid: u32,
        status: i32,
        utime: Int,
        stime: Int,
    },
    Fault {
        addr: Address,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        addr_lsb: Option<u16>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lower: Option<Address>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upper: Option<Address>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pkey: Option<u32>,
    },
    Poll {
        band: Int,
        fd: i32,
    },
    Nothing,
    Sys {
        call_addr: Address,
        syscall: i32,
        arch: u32,
    },
}

impl From<&kernel::SigInfo> for Info {
    fn from(info: &kernel::SigInfo) -> Info {
        Info {
            signo: info.signo.into(),
            code: Named {
                raw: info.code.into(),
                name: info.code_name().map(Into::into),
            },
            errno: info.errno,
            fields: info.fields.into(),
        }
    }
}

impl From<Fields> for InfoFields {
    fn from(fields: Fields) -> InfoFields {
        match fields {
            Fields::Kill { pid, uid } => InfoFields::Kill {
                pid: pid.raw(),
                uid,
            },
            Fields::Timer { id, overrun, value } => InfoFields::Timer {
                timerid: id,
                overrun,
                value: Address(value.0),
            },
            Fields::Queue { pid, uid, value } => InfoFields::Queue {
                pid: pid.raw(),
                uid,
                value: Address(value.0),
            },
            Fields::Child {
                pid,
                uid,
                status,
                utime,
                stime,
            } => InfoFields::Child {
                pid: pid.raw(),
                uid,
                status,
                utime: utime.into(),
                stime: stime.into(),
            },
            Fields::Fault { addr, detail } => fault(addr, detail),
            Fields::Poll { band, fd } => InfoFields::Poll {
                band: band.into(),
                fd,
            },
            Fields::Nothing => InfoFields::Nothing,
            Fields::Sys {
                call_addr,
                syscall,
                arch,
            } => InfoFields::Sys {
                call_addr: Address(call_addr),
                syscall,
                arch,
            },
        }
    }
}

fn fault(addr: u64, detail: FaultDetail) -> InfoFields {
    let (mut lsb, mut low, mut high, mut key) = (None, None, None, None);
    match detail {
        FaultDetail::None => {}
        FaultDetail::Lsb { addr_lsb } => lsb = Some(addr_lsb),
        FaultDetail::Bounds { lower, upper } => {
            low = Some(Address(lower));
            high = Some(Address(upper));
        }
        FaultDetail::Key { pkey } => key = Some(pkey),
    }
    InfoFields::Fault {
        addr: Address(addr),
        addr_lsb: lsb,
        lower: low,
        upper: high,
        pkey: key,
    }
}

impl From<Info> for SigInfo {
    fn from(info: Info) -> SigInfo {
        SigInfo {
            signo: (&info.signo).into(),
            errno: info.errno,
            code: info.code.number(),
            fields: info.fields.into(),
        }
    }
}

impl From<InfoFields> for Fields {
    fn from(fields: InfoFields) -> Fields {
        match fields {
            InfoFields::Kill { pid, uid } => Fields::Kill {
                pid: NsPid::new(pid),
                uid,
            },
            InfoFields::Timer {
                timerid,
                overrun,
                value,
            } => Fields::Timer {
                id: timerid,
                overrun,
                value: Value(value.0),
            },
            InfoFields::Queue { pid, uid, value } => Fields::Queue {
                pid: NsPid::new(pid),
                uid,
                value: Value(value.0),
            },
            InfoFields::Child {
                pid,
                uid,
                status,
                utime,
                stime,
            } => Fields::Child {
                pid: NsPid::new(pid),
                uid,
                status,
                utime: utime.signed(),
                stime: stime.signed(),
            },
            InfoFields::Fault {
                addr,
                addr_lsb,
                lower,
                upper,
                pkey,
            } => Fields::Fault {
                addr: addr.0,
                detail: match (addr_lsb, lower, upper, pkey) {
                    (Some(addr_lsb), ..) => FaultDetail::Lsb { addr_lsb },
                    (_, Some(lower), Some(upper), _) => FaultDetail::Bounds {
                        lower: lower.0,
                        upper: upper.0,
                    },
                    (.., Some(pkey)) => FaultDetail::Key { pkey },
                    _ => FaultDetail::None,
                },
            },
            InfoFields::Poll { band, fd } => Fields::Poll {
                band: band.signed(),
                fd,
            },
            InfoFields::Nothing => Fields::Nothing,
            InfoFields::Sys {
                call_addr,
                syscall,
                arch,
            } => Fields::Sys {
                call_addr: call_addr.0,
                syscall,
                arch,
            },
        }
    }
}
