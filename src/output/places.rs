//! The places of a call stack, and which of them are an interpreter's own.

use std::fmt;

use crate::event::{Frame, Function, Stack, escape_controls, one_line};

/// A place in code: `reap at src/reap.c:17`, `wait4+0x57 in /usr/lib/libc.so.6`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    frame: &'a Frame,
    function: Option<&'a Function>,
    /// The function's code stands in that of the next one.
    is_inlined: bool,
    /// The function is one of a script.
    is_script: bool,
}

impl<'a> Place<'a> {
    /// Whether the source line is known.
    pub(super) fn has_source(&self) -> bool {
        self.source().is_some()
    }

    /// The source file and line.
    pub(super) fn source(&self) -> Option<(&'a str, u32)> {
        let function = self.function?;
        Some((function.file.as_deref()?, function.line?))
    }

    /// Its function, with the name of the source file alone and the line.
    pub(super) fn in_short(&self) -> Option<String> {
        let (path, line) = self.source()?;
        let file = path.rsplit('/').next().unwrap_or(path);
        let place = format!("{} at {file}:{line}", self.name()?);
        Some(one_line(&place).into_owned())
    }

    /// Whether it is in the modules that CPython comes with, or that were installed there.
    pub(super) fn is_of_pythons_library(&self) -> bool {
        let file = self.function.and_then(|function| function.file.as_deref());
        self.is_script
            && file
                .is_some_and(|file| file.contains("/lib/python3") || file.starts_with("<frozen "))
    }

    /// Whether this is the function that the program's own code begins with.
    pub(super) fn is_main(&self) -> bool {
        self.name()
            .is_some_and(|name| name == "main" || name.ends_with("::main"))
    }

    fn name(&self) -> Option<&'a str> {
        self.function?.name.as_deref()
    }

    /// The name of the file that the code is from; empty if there is none.
    fn file(&self) -> &'a [u8] {
        let path = self.frame.object.as_deref().unwrap_or_default();
        path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    fn is_of_library(&self) -> bool {
        let file = self.file();
        LIBRARIES.iter().any(|library| file.starts_with(library))
    }

    /// Whether this is but the way from the program's own code into the kernel:
    /// the C library, its functions that make the call, or Rust's own library.
    pub(super) fn is_wrapper(&self) -> bool {
        // glibc's inner names: __GI___wait4, __libc_fork.
        let name = self.name().unwrap_or_default().trim_start_matches('_');
        let name = name.trim_start_matches("GI_").trim_start_matches('_');
        let name = name.trim_start_matches("libc_");
        let is_rusts = self
            .source()
            .is_some_and(|(file, _)| file.starts_with("/rustc/"));
        is_rusts || self.is_of_library() || CALLS.contains(&name)
    }

    /// Whether the code is an interpreter's.
    fn is_of_interpreter(&self) -> bool {
        !self.is_script && (is_interpreter(self.file()) || !self.frame.script().is_empty())
    }

    /// Whether the code was made at run time.
    fn is_made(&self) -> bool {
        let object = self.frame.object.as_deref();
        object.is_none_or(|path| path.starts_with(b"/memfd:"))
    }

    /// Whether it says nothing to the author of a script: code of the interpreter or
    /// of the C library, or made at run time and without a name.
    fn is_machinery(&self) -> bool {
        let is_signal = self.function.is_some_and(Function::is_signal);
        let is_nameless = self.is_made() && self.name().is_none();
        let is_below = self.is_of_interpreter() || self.is_of_library() || is_nameless;
        !self.is_script && !is_signal && is_below
    }

    /// Whether it is a trampoline that CPython makes for `perf`, with the name of the
    /// function that the interpreter's next frame executes.
    fn is_trampoline(&self) -> bool {
        !self.is_script
            && self.is_made()
            && self.name().is_some_and(|name| name.starts_with("py::"))
    }

    /// The name of the file, as a folded line gives it.
    fn folded_name(&self) -> String {
        if self.is_made() {
            return "code made at run time".to_owned();
        }
        String::from_utf8_lossy(self.file()).into_owned()
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

/// How the files of interpreters are called, before a version.
const INTERPRETERS: [&str; 20] = [
    "python",
    "libpython",
    "node",
    "libnode",
    "libjvm",
    "libjli",
    "libjava",
    "java",
    "ruby",
    "libruby",
    "perl",
    "libperl",
    "php",
    "lua",
    "sh",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "mksh",
];

/// Whether a file of this name is an interpreter: `python3.11`, `libperl.so.5.36`.
fn is_interpreter(file: &[u8]) -> bool {
    INTERPRETERS.iter().any(|name| {
        let version = file.strip_prefix(name.as_bytes());
        let version = version.map(|version| version.strip_prefix(b"-").unwrap_or(version));
        // A free-threaded build, a debug build.
        let version = version.map(|version| version.strip_suffix(b"t").unwrap_or(version));
        version.is_some_and(|version| {
            let end = version
                .iter()
                .position(|byte| !matches!(byte, b'0'..=b'9' | b'.'));
            end.is_none_or(|end| {
                let rest = version.get(end..).unwrap_or_default();
                version.starts_with(b".so") || rest.starts_with(b"so")
            })
        })
    })
}

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
        let file = self.function.and_then(|function| function.file.as_deref());
        if let Some((file, line)) = self.source() {
            f.write_str(" at ")?;
            escape_controls(file.as_bytes(), f)?;
            write!(f, ":{line}")?;
        } else if let Some(file) = file.filter(|_| self.is_script) {
            f.write_str(" in ")?;
            escape_controls(file.as_bytes(), f)?;
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
/// innermost first. The functions of a script stand before the interpreter's frame
/// that executes them.
pub(super) fn places(stack: &Stack) -> impl Iterator<Item = Place<'_>> {
    stack.frames().iter().flat_map(|frame| {
        let count = frame.functions().len();
        let script = frame.script().iter().map(|function| Place {
            frame,
            function: Some(function),
            is_inlined: false,
            is_script: true,
        });
        let functions = frame.functions().iter().enumerate();
        let named = functions.map(move |(index, function)| Place {
            frame,
            function: Some(function),
            is_inlined: index + 1 < count,
            is_script: false,
        });
        let nameless = (count == 0).then_some(Place {
            frame,
            function: None,
            is_inlined: false,
            is_script: false,
        });
        script.chain(named).chain(nameless)
    })
}

/// Whether an interpreter made the call.
pub(super) fn has_interpreter(places: &[Place<'_>]) -> bool {
    places.iter().any(Place::is_of_interpreter)
}

/// Whether functions of a script are known, by the interpreter's own structures or by
/// the names of code that was made from them.
pub(super) fn knows_script(places: &[Place<'_>]) -> bool {
    let is_of_script =
        |place: &Place<'_>| place.is_script || place.is_made() && place.name().is_some();
    places.iter().any(is_of_script)
}

/// A line of a stack.
pub(super) enum Part<'a> {
    Place(Place<'a>),
    Folded(Folded),
}

/// Frames that are shown as one line.
pub(super) struct Folded {
    frames: usize,
    /// The names of their files.
    files: Vec<String>,
}

impl<'a> Part<'a> {
    /// The place, if it is none of the interpreter's or of the C library's.
    pub(super) fn own(self) -> Option<Place<'a>> {
        match self {
            Part::Place(place) if !place.is_machinery() && !place.is_wrapper() => Some(place),
            Part::Place(_) | Part::Folded(_) => None,
        }
    }
}

impl fmt::Display for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "… {} frames of ", self.frames)?;
        for (index, file) in self.files.iter().enumerate() {
            match index {
                0 => {}
                _ if index + 1 == self.files.len() => f.write_str(" and ")?,
                _ => f.write_str(", ")?,
            }
            escape_controls(file.as_bytes(), f)?;
        }
        Ok(())
    }
}

/// The lines of a stack. If `folds`, two or more frames of the interpreter and the C
/// library in a row become one, but for the innermost: it names the call.
pub(super) fn parts<'a>(places: &[Place<'a>], folds: bool) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    // Where its lines are known, the trampolines say nothing more.
    let has_lines = places.iter().any(|place| place.is_script);
    let is_folded = |place: &&Place<'_>| place.is_machinery() || has_lines && place.is_trampoline();
    let innermost = places.first().map(|place| place.frame);
    let mut rest = places;
    while let [first, behind @ ..] = rest {
        let is_inner = innermost.is_some_and(|frame| std::ptr::eq(frame, first.frame));
        let count = rest.iter().take_while(is_folded).count();
        let run = rest.get(..count).unwrap_or_default();
        let frames = run.iter().filter(|place| !place.is_inlined).count();
        if !folds || is_inner || frames < 2 {
            parts.push(Part::Place(*first));
            rest = behind;
            continue;
        }
        let mut files = Vec::new();
        for place in run {
            let file = place.folded_name();
            if !files.contains(&file) {
                files.push(file);
            }
        }
        parts.push(Part::Folded(Folded { frames, files }));
        rest = rest.get(count..).unwrap_or_default();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_is_known_by_the_name_of_its_file() {
        let names = [
            "python",
            "python3",
            "python3.13t",
            "libpython3.11.so.1.0",
            "node",
            "node-20",
            "bash",
            "libjvm.so",
            "perl",
            "libperl.so.5.36",
            "ruby3.1",
            "sh",
            "lua5.4",
            "php8.2",
        ];
        for name in names {
            assert!(is_interpreter(name.as_bytes()), "{name}");
        }
        let others = [
            "",
            "pythonista",
            "nodejob",
            "sshd",
            "bashful",
            "shell",
            "libc.so.6",
            "python.py",
        ];
        for name in others {
            assert!(!is_interpreter(name.as_bytes()), "{name}");
        }
    }
}
