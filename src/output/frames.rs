//! Call stacks in words: strace's, and those that name source lines.

use std::fmt::{self, Write};

use owo_colors::Style;

use super::line::Line;
use crate::event::{Cut, Frame, Function, Stack, escape_controls};

/// A frame as strace writes it: ` > /usr/bin/dash(main+0x2c) [0x4a1c]`.
struct Strace<'a>(&'a Frame);

impl fmt::Display for Strace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Strace(frame) = self;
        f.write_str(" > ")?;
        let Some(object) = &frame.object else {
            return write!(f, "unexpected_backtracing_error [{:#x}]", frame.address);
        };
        escape_controls(object, f)?;
        f.write_char('(')?;
        if let Some(function) = frame.functions().last()
            && let (Some(name), Some(offset)) = (&function.name, function.offset)
        {
            escape_controls(name.as_bytes(), f)?;
            write!(f, "+{offset:#x}")?;
        }
        write!(f, ") [{:#x}]", frame.address)
    }
}

/// A place in code: `reap at src/reap.c:17`, `wait4+0x57 in /usr/lib/libc.so.6`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    frame: &'a Frame,
    function: Option<&'a Function>,
    /// The function's code stands in that of the next one.
    is_inlined: bool,
}

impl<'a> Place<'a> {
    /// Whether the source line is known.
    fn has_source(&self) -> bool {
        self.source().is_some()
    }

    /// The source file and line.
    pub(super) fn source(&self) -> Option<(&'a str, u32)> {
        let function = self.function?;
        Some((function.file.as_deref()?, function.line?))
    }

    /// Whether this is the function that the program's own code begins with.
    fn is_main(&self) -> bool {
        let name = self.function.and_then(|function| function.name.as_deref());
        name.is_some_and(|name| name == "main" || name.ends_with("::main"))
    }

    /// Whether this is but the way from the program's own code into the kernel:
    /// the C library, its functions that make the call, or Rust's own library.
    fn is_wrapper(&self) -> bool {
        let path = self.frame.object.as_deref().unwrap_or_default();
        let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let name = self.function.and_then(|function| function.name.as_deref());
        // glibc's inner names: __GI___wait4, __libc_fork.
        let name = name.unwrap_or_default().trim_start_matches('_');
        let name = name.trim_start_matches("GI_").trim_start_matches('_');
        let name = name.trim_start_matches("libc_");
        let is_rusts = self
            .source()
            .is_some_and(|(file, _)| file.starts_with("/rustc/"));
        is_rusts
            || LIBRARIES.iter().any(|library| file.starts_with(library))
            || CALLS.contains(&name)
    }
}

/// How the files of C libraries are called.
const LIBRARIES: [&[u8]; 4] = [b"libc.so", b"libc-", b"libpthread", b"ld-musl"];

/// The functions of a C library through which a program waits and forks.
const CALLS: [&str; 13] = [
    "wait",
    "wait3",
    "wait4",
    "waitpid",
    "waitid",
    "fork",
    "Fork",
    "arch_fork",
    "vfork",
    "clone",
    "clone3",
    "posix_spawn",
    "spawni",
];

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.function.is_some_and(Function::is_signal) {
            return f.write_str(Function::SIGNAL);
        }
        let address = self.frame.address;
        match self.function {
            Some(Function {
                name: Some(name),
                offset,
                file,
                ..
            }) => {
                escape_controls(name.as_bytes(), f)?;
                if let (Some(offset), None) = (offset, file) {
                    write!(f, "+{offset:#x}")?;
                }
            }
            _ => write!(f, "{address:#x}")?,
        }
        if let Some((file, line)) = self.source() {
            f.write_str(" at ")?;
            escape_controls(file.as_bytes(), f)?;
            write!(f, ":{line}")?;
        } else if let Some(object) = &self.frame.object {
            f.write_str(" in ")?;
            escape_controls(object, f)?;
        } else {
            f.write_str(" in code made at run time")?;
        }
        if self.is_inlined {
            f.write_str(" (inlined)")?;
        }
        Ok(())
    }
}

/// All places of a stack, inlined functions as places of their own, the
/// innermost first.
fn places(stack: &Stack) -> impl Iterator<Item = Place<'_>> {
    stack.frames().iter().flat_map(|frame| {
        let count = frame.functions().len();
        let functions = frame.functions().iter().enumerate();
        let named = functions.map(move |(index, function)| Place {
            frame,
            function: Some(function),
            is_inlined: index + 1 < count,
        });
        let nameless = (count == 0).then_some(Place {
            frame,
            function: None,
            is_inlined: false,
        });
        named.chain(nameless)
    })
}

/// The lines of a stack as strace writes them.
pub(super) fn strace_lines(stack: &Stack) -> Vec<u8> {
    let mut text = String::new();
    for frame in stack.frames() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", Strace(frame));
    }
    text.into_bytes()
}

/// The lines of a stack, a place each.
pub(super) fn lines(stack: &Stack, prefix: &str, dim: Style) -> Vec<u8> {
    let mut line = Line::default();
    let mut add = |text: fmt::Arguments<'_>, style| {
        line.plain(prefix);
        line.write(text, style);
        line.plain("\n");
    };
    for place in places(stack) {
        let style = if place.has_source() {
            Style::new()
        } else {
            dim
        };
        add(format_args!("  > {place}"), style);
    }
    if let Some(end) = end(stack) {
        add(format_args!("  > {end}"), dim);
    }
    line.text.into_bytes()
}

/// What a stack's end says, where it is not the outermost frame.
fn end(stack: &Stack) -> Option<&'static str> {
    Some(match stack.cut()? {
        Cut::Deep => "… more",
        Cut::Lost => "… the way back from here is not known",
    })
}

/// How many places of a stack a finding shows.
const MOST_OF_OWN: usize = 8;

/// The places that a person wants to see: from the program's own code that
/// called the C library out to `main`, those that matter most if there are
/// many.
pub(super) fn own_places(stack: &Stack) -> Vec<Place<'_>> {
    let all: Vec<Place<'_>> = places(stack).collect();
    let first = all.iter().position(|place| !place.is_wrapper());
    let main = all.iter().position(Place::is_main);
    let last = main.map_or(all.len(), |main| main + 1);
    let own = all.get(first.unwrap_or(0)..last).unwrap_or(&all);
    own.iter().copied().take(MOST_OF_OWN).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn function(name: &str, file: Option<&str>) -> Function {
        Function {
            name: Some(name.to_owned()),
            offset: Some(0x13),
            file: file.map(str::to_owned),
            line: file.map(|_| 17),
        }
    }

    fn frame(object: &str, functions: Vec<Function>) -> Arc<Frame> {
        Arc::new(Frame::new(
            Some(object.as_bytes().into()),
            0xd3bd3,
            functions,
        ))
    }

    fn stack(frames: Vec<Arc<Frame>>) -> Stack {
        Stack::new(frames, None)
    }

    fn words(places: &[Place<'_>]) -> Vec<String> {
        places.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_known_of_a_place_is_told() {
        let inlined = vec![
            function("inner", Some("a.c")),
            function("outer", Some("b.c")),
        ];
        let stack = stack(vec![
            frame("/lib/libc.so.6", vec![function("wait4", None)]),
            frame("/bin/x", inlined),
            frame("/bin/x", Vec::new()),
            Arc::new(Frame::new(None, 0x7f00, Vec::new())),
        ]);
        let all: Vec<Place<'_>> = places(&stack).collect();
        assert_eq!(
            words(&all),
            [
                "wait4+0x13 in /lib/libc.so.6",
                "inner at a.c:17 (inlined)",
                "outer at b.c:17",
                "0xd3bd3 in /bin/x",
                "0x7f00 in code made at run time",
            ]
        );
        let strace: Vec<String> = stack
            .frames()
            .iter()
            .map(|f| Strace(f).to_string())
            .collect();
        assert_eq!(strace[0], " > /lib/libc.so.6(wait4+0x13) [0xd3bd3]");
        assert_eq!(strace[2], " > /bin/x() [0xd3bd3]");
    }

    #[test]
    fn a_finding_shows_the_programs_own_places() {
        let c = |name| frame("/bin/x", vec![function(name, Some("a.c"))]);
        let stack = stack(vec![
            frame("/lib/libc.so.6", vec![function("wait4", None)]),
            frame("/bin/x", vec![function("__GI___waitpid", None)]),
            c("reap"),
            c("main"),
            frame("/lib/libc.so.6", vec![function("start", None)]),
        ]);
        let own = words(&own_places(&stack));
        assert_eq!(own, ["reap at a.c:17", "main at a.c:17"]);
    }

    #[test]
    fn names_that_a_program_chose_are_harmless() {
        let hostile = "\u{1b}[2J\n";
        let stack = stack(vec![frame(hostile, vec![function(hostile, Some(hostile))])]);
        for place in places(&stack) {
            assert_eq!(place.to_string(), r"\33[2J\n at \33[2J\n:17");
        }
        let strace = Strace(&stack.frames()[0]).to_string();
        assert_eq!(strace, r" > \33[2J\n(\33[2J\n+0x13) [0xd3bd3]");
    }
}
