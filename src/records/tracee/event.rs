//! One event of Tracee's, in either form.
//!
//! The newer form is the JSON of the messages of `api/v1beta1/event.proto` and
//! `event_data.proto`; the older one is flat, as `types/trace` has it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

/// An event, whichever form it had.
#[derive(Debug)]
pub(super) struct TraceeEvent<'a> {
    pub(super) name: Cow<'a, str>,
    /// Nanoseconds since 1970.
    pub(super) time: u64,
    /// The thread and its process as the host has them.
    pub(super) tid: i32,
    pub(super) tgid: i32,
    /// The process's pid in its own namespace.
    pub(super) ns_pid: i32,
    /// Its parent on the host, if the event says it.
    pub(super) parent: Option<i32>,
    /// What its pid namespace is known by; 0 if by nothing.
    pub(super) namespace: u64,
    pub(super) comm: Cow<'a, str>,
    /// It makes system calls of 32 bits.
    pub(super) compat: bool,
    pub(super) returned: Option<i64>,
    data: Vec<Datum>,
}

/// A named value.
#[derive(Debug)]
struct Datum {
    name: String,
    value: Value,
}

/// A line, before it is known which form it has.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form<'a> {
    #[serde(borrow)]
    Older(Box<Older<'a>>),
    #[serde(borrow)]
    Newer(Box<Newer<'a>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Older<'a> {
    #[serde(borrow)]
    event_name: Cow<'a, str>,
    #[serde(default)]
    timestamp: Value,
    #[serde(default)]
    process_id: i64,
    #[serde(default)]
    thread_id: i64,
    #[serde(default)]
    host_process_id: Option<i64>,
    #[serde(default)]
    host_thread_id: Option<i64>,
    #[serde(default)]
    host_parent_process_id: Option<i64>,
    #[serde(default)]
    pid_namespace: Option<u64>,
    #[serde(default, borrow)]
    process_name: Cow<'a, str>,
    #[serde(default)]
    return_value: Value,
    #[serde(default)]
    compat: bool,
    #[serde(default)]
    args: Option<Vec<Map<String, Value>>>,
}

#[derive(Deserialize)]
struct Newer<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default)]
    timestamp: Value,
    #[serde(default)]
    workload: Workload<'a>,
    #[serde(default)]
    compat: bool,
    #[serde(default)]
    data: Option<Vec<Map<String, Value>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Workload<'a> {
    #[serde(borrow)]
    process: Process<'a>,
    #[serde(borrow)]
    container: Option<Container<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Process<'a> {
    pid: Value,
    #[serde(alias = "hostPid")]
    host_pid: Value,
    #[serde(borrow)]
    thread: Thread<'a>,
    #[serde(borrow)]
    ancestors: Vec<Process<'a>>,
    compat: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Thread<'a> {
    tid: Value,
    #[serde(alias = "hostTid")]
    host_tid: Value,
    #[serde(borrow)]
    name: Cow<'a, str>,
    compat: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

impl<'a> TraceeEvent<'a> {
    /// Take a line apart. `None` if it is an object of another kind, a message
    /// of Tracee's for example.
    ///
    /// # Errors
    /// Where the line is no JSON, or lacks what every event has.
    pub(super) fn parse(line: &'a [u8]) -> Result<Option<TraceeEvent<'a>>, serde_json::Error> {
        match serde_json::from_slice(line) {
            Ok(Form::Older(event)) => Ok(event.taken_apart()),
            Ok(Form::Newer(event)) => Ok(event.taken_apart()),
            Err(_) => {
                // Another object, or no JSON at all, or an event that lacks a
                // part: what is said of the first form would mislead.
                let object: Map<String, Value> = serde_json::from_slice(line)?;
                let is_event = object.contains_key("eventName") || object.contains_key("workload");
                if is_event {
                    serde_json::from_slice::<Newer>(line)?;
                }
                Ok(None)
            }
        }
    }

    /// Whether an object is an event of Tracee's.
    pub(super) fn is_one(object: &Map<String, Value>) -> bool {
        let has = |key: &str| object.contains_key(key);
        has("eventName") || (has("name") && (has("workload") || has("data")))
    }

    fn value(&self, name: &str) -> Option<&Value> {
        let mut data = self.data.iter();
        data.find(|datum| datum.name == name)
            .map(|datum| &datum.value)
    }

    /// A number.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        int(self.value(name)?)
    }

    /// A number that is an int.
    pub(super) fn int32(&self, name: &str) -> Option<i32> {
        i32::try_from(self.int(name)?).ok()
    }

    /// The low 32 bits of a number.
    pub(super) fn word(&self, name: &str) -> Option<u32> {
        let low = self.int(name)? & 0xffff_ffff;
        u32::try_from(low).ok()
    }

    /// A pointer.
    pub(super) fn pointer(&self, name: &str) -> u64 {
        self.int(name).map_or(0, i64::cast_unsigned)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.value(name)?.as_bool()
    }

    /// A list of strings.
    pub(super) fn texts(&self, name: &str) -> Vec<Vec<u8>> {
        let list = self
            .value(name)
            .map(|value| value.get("value").unwrap_or(value));
        let words = list.and_then(Value::as_array).into_iter().flatten();
        words
            .filter_map(|word| Some(word.as_str()?.as_bytes().to_vec()))
            .collect()
    }
}

impl<'a> Older<'a> {
    fn taken_apart(self) -> Option<TraceeEvent<'a>> {
        let number = |number: i64| i32::try_from(number).ok();
        let tgid = number(self.host_process_id.unwrap_or(self.process_id))?;
        let args = self.args.unwrap_or_default().into_iter();
        let data = args.filter_map(|mut arg| {
            Some(Datum {
                name: arg.get("name")?.as_str()?.to_owned(),
                value: arg.remove("value")?,
            })
        });
        Some(TraceeEvent {
            name: self.event_name,
            time: nanoseconds(&self.timestamp)?,
            tid: number(self.host_thread_id.unwrap_or(self.thread_id)).unwrap_or(tgid),
            tgid,
            ns_pid: number(self.process_id).unwrap_or(tgid),
            parent: self.host_parent_process_id.and_then(number),
            namespace: self.pid_namespace.unwrap_or(0),
            comm: self.process_name,
            compat: self.compat,
            returned: int(&self.return_value),
            data: data.collect(),
        })
    }
}

impl<'a> Newer<'a> {
    fn taken_apart(self) -> Option<TraceeEvent<'a>> {
        let number = |value: &Value| i32::try_from(int(value)?).ok();
        let process = self.workload.process;
        let ns_pid = number(&process.pid);
        let tgid = number(&process.host_pid).or(ns_pid)?;
        let thread = process.thread;
        let tid = number(&thread.host_tid)
            // Of a leader, and of one whose pids are the host's, it is plain.
            .or_else(|| number(&thread.tid).filter(|_| ns_pid == Some(tgid)));
        let parent = process.ancestors.first();
        let parent = parent.and_then(|parent| number(&parent.host_pid));
        let container = self.workload.container.unwrap_or_default();
        let data = self.data.unwrap_or_default().into_iter();
        let data: Vec<Datum> = data
            .filter_map(|datum| {
                let name = datum.get("name")?.as_str()?.to_owned();
                let value = datum.into_iter().find(|(key, _)| key != "name")?.1;
                Some(Datum { name, value })
            })
            .collect();
        let mut returned = data.iter().filter(|datum| datum.name == "returnValue");
        Some(TraceeEvent {
            returned: returned.next().and_then(|datum| int(&datum.value)),
            name: self.name,
            time: nanoseconds(&self.timestamp)?,
            tid: tid.unwrap_or(tgid),
            tgid,
            ns_pid: ns_pid.unwrap_or(tgid),
            parent,
            namespace: hash(&container.id),
            comm: thread.name,
            compat: self.compat || process.compat || thread.compat,
            data,
        })
    }
}

/// A number, or a string of one in decimal or hexadecimal: what 64 bits have
/// JSON cannot hold.
fn int(value: &Value) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    if let Some(number) = value.as_u64() {
        return Some(number.cast_signed());
    }
    let text = value.as_str()?;
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(u64::cast_signed);
    }
    let signed = text.parse().ok();
    signed.or_else(|| text.parse().ok().map(u64::cast_signed))
}

/// A time: a string of RFC 3339, nanoseconds, or seconds with nanoseconds.
fn nanoseconds(time: &Value) -> Option<u64> {
    if let Some(number) = int(time) {
        return u64::try_from(number).ok();
    }
    if let Some(seconds) = time.get("seconds") {
        let nanos = time.get("nanos").and_then(int).unwrap_or(0);
        let seconds = int(seconds)?.checked_mul(1_000_000_000)?;
        return u64::try_from(seconds.checked_add(nanos)?).ok();
    }
    let stamp: jiff::Timestamp = time.as_str()?.parse().ok()?;
    u64::try_from(stamp.as_nanosecond()).ok()
}

/// A number for a container, which stands for its pid namespace; 0 for none.
fn hash(id: &str) -> u64 {
    use std::hash::{Hash, Hasher};
    if id.is_empty() {
        return 0;
    }
    let mut hasher = rustc_hash::FxHasher::default();
    id.hash(&mut hasher);
    hasher.finish() | 1
}
