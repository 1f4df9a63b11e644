//! Logs of the BSDs: FreeBSD's truss, and kdump's listings of a ktrace of
//! FreeBSD or NetBSD.
//!
//! wait, waitpid and wait3 are the call wait4 there, and waitid is wait6. Only
//! truss shows statuses; in a listing they are joined with the children's ends.

mod calls;
mod kdump;
mod truss;

use std::io::{self, Read};

use super::Source;
use super::gaps::Record;
use super::lines::Lines;
use super::log::{
    Action, Beginning, Birth, Format, Kind, Log, LogLine, Program, Root, Time, Translator, Wait,
    origin,
};
use super::text;
use crate::event::How;
use crate::kernel::{Signal, System, WaitCall};

/// How many lines are looked at to know a log by.
const LOOKED_AT: usize = 1000;

/// What the times before lines count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    /// Nothing that orders lines.
    None,
    /// From one beginning.
    Elapsed,
    /// From the line before.
    SinceLast,
}

/// How truss or kdump writes.
#[derive(Debug)]
struct Bsd {
    record: Record,
    system: System,
    times: Times,
}

/// A log, if its beginning is one of truss's or kdump's; of this system, if it
/// is given. Else the lines are given back.
pub(super) fn open<R: Read + 'static>(
    mut lines: Lines<R>,
    system: Option<System>,
) -> io::Result<Result<Box<dyn Source>, Lines<R>>> {
    let ahead = lines.ahead()?;
    let Some(record) = record(ahead) else {
        return Ok(Err(lines));
    };
    let is_truss = record == Record::Truss;
    let system = system.unwrap_or_else(|| match record {
        Record::Kdump => kdump::system(ahead),
        _ => System::FreeBsd,
    });
    let times = if is_truss {
        truss::times(ahead)
    } else {
        kdump::times(ahead)
    };
    let tracer = if is_truss {
        "truss".to_owned()
    } else {
        format!("kdump ({system})")
    };
    let format = Bsd {
        record,
        system,
        times,
    };
    let translator = Translator::new(format, (system, record), Root::default(), false);
    Ok(Ok(Box::new(Log::new(lines, translator, origin(tracer)))))
}

/// Whether no other program writes such a line.
pub(super) fn is_sure(line: &[u8]) -> bool {
    kdump::is_sure(line) || truss::is_sure(line)
}

/// Whether a line that only truss or kdump writes names its process.
pub(super) fn has_pid(line: &[u8]) -> bool {
    kdump::is_sure(line) || truss::is_sure(line) && truss::has_pid(line)
}

/// Which program wrote a text, if it is one of these.
fn record(text: &[u8]) -> Option<Record> {
    let mut lines = text.split(|byte| *byte == b'\n').take(LOOKED_AT);
    lines.find_map(|line| {
        if kdump::is_sure(line) {
            Some(Record::Kdump)
        } else if truss::is_sure(line) {
            Some(Record::Truss)
        } else {
            None
        }
    })
}

impl Format for Bsd {
    const AT_RETURN: bool = true;

    fn line<'a>(&self, line: &'a [u8]) -> Option<LogLine<'a>> {
        let mut line = match self.record {
            Record::Truss => truss::line(self.system, line)?,
            _ => kdump::line(self.system, line)?,
        };
        line.time = line.time.and_then(|time| match (time, self.times) {
            (_, Times::None) => None,
            (Time::Epoch(nanos), Times::SinceLast) => Some(Time::Relative(nanos)),
            (time, _) => Some(time),
        });
        Some(line)
    }

    /// Whether a line may be a part of what a program read or wrote, which
    /// kdump shows indented, or is empty.
    fn is_data(&self, line: &[u8]) -> bool {
        line.first().is_none_or(|byte| matches!(byte, b' ' | b'\t'))
    }

    fn beginning(&self, line: &LogLine<'_>) -> Beginning {
        // A process that starts a program does so with its own name still.
        match line.comm {
            Some(b"ktrace") => Beginning::Launch,
            _ => Beginning::Midst,
        }
    }

    fn wait(&self, call: WaitCall, args: &[u8]) -> Option<Wait> {
        calls::wait(self.system, call, args)
    }

    fn birth(&self, kind: Kind, _: &[u8]) -> Birth {
        Birth {
            how: if kind == Kind::Vfork {
                How::Vfork
            } else {
                How::Fork
            },
            exit_signal: Some(Signal::CHLD),
            is_sibling: false,
            in_new_namespace: false,
        }
    }

    fn program(&self, args: &[u8]) -> Program {
        calls::program(args)
    }

    fn action(&self, args: &[u8]) -> Action {
        calls::action(self.system, args)
    }

    fn kill(&self, args: &[u8]) -> Option<(i32, Signal)> {
        let args = text::arguments(args);
        let [target, name, ..] = args[..] else {
            return None;
        };
        Some((calls::int(target)?, calls::signal(self.system, name)?))
    }
}
