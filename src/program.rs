//! The command to launch: its arguments and environment, the search in `PATH`, and
//! why it could not be started.

use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, User, access};

use crate::kernel::Errno;
use crate::sys::seccomp::Filter;
use crate::sys::spawn::{Identity, Program, Report};
use crate::sys::startup::Inherited;

/// The search path if `PATH` is not set, as in execvp.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// A command to launch.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// The command and its arguments; never empty.
    pub argv: Vec<OsString>,
    /// Changes of the environment (`-E`), in order.
    pub env: Vec<EnvChange>,
    /// The user to run it as (`-u`).
    pub user: Option<String>,
}

/// One change of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvChange {
    /// `-E NAME=VALUE`
    Set(OsString, OsString),
    /// `-E NAME`
    Unset(OsString),
}

/// Why a command was not started, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NeverRan {
    /// There is no such command.
    Unknown(String),
    /// It is there but cannot be executed.
    NotExecutable(String),
    /// Not tried: it cannot become the user or enter the directory.
    Unreachable(String),
}

impl CommandLine {
    /// Prepares all that the new process needs, so that it need not allocate. It starts
    /// with the state that we were started with.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    pub(crate) fn program(&self, filter: Option<Filter>) -> Result<Program, String> {
        self.program_in(Inherited::environment(), filter)
    }

    /// The same with another base environment than ours.
    pub(crate) fn program_in(
        &self,
        base: Vec<OsString>,
        filter: Option<Filter>,
    ) -> Result<Program, String> {
        let env = self.environment(base);
        let path = env
            .iter()
            .find_map(|entry| value_of(entry, "PATH".as_ref()));
        let candidates = candidates(self.name(), path);
        Ok(Program {
            candidates: c_strings(candidates)?,
            argv: c_strings(self.argv.iter().cloned())?,
            env: c_strings(env)?,
            identity: self.user.as_deref().map(identity).transpose()?,
            filter,
            start: Inherited::get(),
            files: [None, None, None],
            directory: None,
        })
    }

    fn name(&self) -> &OsStr {
        self.argv
            .first()
            .map(OsString::as_os_str)
            .unwrap_or_default()
    }

    /// The environment after the changes; other entries keep their order and bytes.
    fn environment(&self, mut env: Vec<OsString>) -> Vec<OsString> {
        for change in &self.env {
            match change {
                EnvChange::Set(name, value) => {
                    let mut entry = name.clone();
                    entry.push("=");
                    entry.push(value);
                    match env.iter_mut().find(|entry| value_of(entry, name).is_some()) {
                        Some(old) => *old = entry,
                        None => env.push(entry),
                    }
                }
                EnvChange::Unset(name) => env.retain(|entry| value_of(entry, name).is_none()),
            }
        }
        env
    }

    /// The paths that are tried, in order.
    fn candidates(&self, base: Vec<OsString>) -> Vec<OsString> {
        let env = self.environment(base);
        let path = env
            .iter()
            .find_map(|entry| value_of(entry, "PATH".as_ref()));
        candidates(self.name(), path)
    }

    /// Whether the search finds a file with the command's name.
    fn is_there(&self, base: Vec<OsString>) -> bool {
        let candidates = self.candidates(base);
        candidates.iter().any(|path| Path::new(path).exists())
    }

    /// Why an exec was answered with EACCES, as far as the files say.
    fn denial(&self, base: Vec<OsString>) -> String {
        let candidates = self.candidates(base);
        let tried = candidates.iter().map(Path::new);
        let looks = tried.map(|path| (path, fs::metadata(path)));
        let found = looks.into_iter().find(|(_, look)| {
            !matches!(look, Err(error) if matches!(error.kind(), NotFound | NotADirectory))
        });
        let Some((path, look)) = found else {
            return "permission denied".into();
        };
        match look {
            Err(_) => closed_directory(path),
            Ok(file) if file.is_dir() => "it is a directory".into(),
            Ok(file) if file.mode() & 0o111 == 0 => {
                "permission denied; `chmod +x` makes it a program".into()
            }
            Ok(_) => match &self.user {
                Some(user) => format!(
                    "permission denied to the user {user}, for it or for a directory above it (-u)"
                ),
                None => denied_file(path),
            },
        }
    }

    /// Why the command was not started.
    pub(crate) fn explain(&self, report: Report) -> NeverRan {
        self.explain_in(Inherited::environment(), report)
    }

    /// The same for a command started in another environment.
    pub(crate) fn explain_in(&self, base: Vec<OsString>, report: Report) -> NeverRan {
        let name = self.name().to_string_lossy().into_owned();
        let errno = match report {
            Report::Exec(errno) | Report::NoFilter(errno) => errno,
            Report::Identity(errno) => {
                let user = self.user.as_deref().unwrap_or_default();
                return NeverRan::Unreachable(format!(
                    "cannot become the user {user}: {errno}; only root can (-u)"
                ));
            }
            Report::Directory(errno) => {
                return NeverRan::Unreachable(format!(
                    "cannot enter the command's working directory: {errno}"
                ));
            }
        };
        match errno {
            Errno::NOENT if self.is_there(base.clone()) => NeverRan::NotExecutable(format!(
                "cannot execute {name:?}: its interpreter (behind #!) or loader does not exist"
            )),
            Errno::NOENT if !name.contains('/') => {
                NeverRan::Unknown(format!("cannot find the command {name:?} in PATH"))
            }
            Errno::NOENT => {
                NeverRan::Unknown(format!("cannot execute {name:?}: there is no such file"))
            }
            Errno::ACCES => {
                let why = self.denial(base);
                NeverRan::NotExecutable(format!("cannot execute {name:?}: {why}"))
            }
            errno => NeverRan::NotExecutable(format!("cannot execute {name:?}: {errno}")),
        }
    }
}

/// The directory on the way to a file that lets nobody of ours pass.
fn closed_directory(path: &Path) -> String {
    let above: Vec<&Path> = path.ancestors().skip(1).collect();
    let from_root = above.into_iter().rev();
    let mut directories = from_root.filter(|directory| !directory.as_os_str().is_empty());
    let is_closed = |directory: &&Path| access(*directory, AccessFlags::X_OK).is_err();
    match directories.find(is_closed) {
        Some(directory) => format!(
            "permission denied: the directory {:?} may not be entered",
            directory.to_string_lossy()
        ),
        None => "permission denied".into(),
    }
}

/// Why a file that is a program to somebody is none to us.
fn denied_file(path: &Path) -> String {
    let file_system = statvfs(path);
    if file_system.is_ok_and(|system| system.flags().contains(FsFlags::ST_NOEXEC)) {
        return "permission denied: its file system is mounted noexec".into();
    }
    match access(path, AccessFlags::X_OK) {
        Ok(()) => "permission denied: its interpreter (behind #!) may not be executed".into(),
        Err(_) => "permission denied: it is a program to other users only".into(),
    }
}

/// The value of an entry of the environment, if its name is `name`.
fn value_of<'a>(entry: &'a OsStr, name: &OsStr) -> Option<&'a OsStr> {
    let rest = entry.as_bytes().strip_prefix(name.as_bytes())?;
    rest.strip_prefix(b"=").map(OsStr::from_bytes)
}

/// The paths to try: the name itself if it has a slash, else one for each
/// directory of `PATH`, of which an empty one is the working directory.
fn candidates(name: &OsStr, path: Option<&OsStr>) -> Vec<OsString> {
    let bytes = name.as_bytes();
    if bytes.contains(&b'/') {
        return vec![name.to_owned()];
    }
    if bytes.is_empty() {
        return Vec::new();
    }
    let path = path.map_or(DEFAULT_PATH.as_bytes(), |path| path.as_bytes());
    let directories = path.split(|byte| *byte == b':');
    let paths = directories.map(|directory| {
        let directory = if directory.is_empty() {
            b"."
        } else {
            directory
        };
        OsString::from_vec([directory, b"/", bytes].concat())
    });
    paths.collect()
}

fn c_strings(words: impl IntoIterator<Item = OsString>) -> Result<Vec<CString>, String> {
    let strings = words.into_iter().map(|word| CString::new(word.into_vec()));
    strings
        .collect::<Result<_, _>>()
        .map_err(|error| format!("an argument holds a NUL byte: {error}"))
}

fn identity(name: &str) -> Result<Identity, String> {
    // Where there is none, the C library may say so or find no user.
    let has_users = std::fs::exists("/etc/passwd").unwrap_or(true);
    let user = match User::from_name(name) {
        Ok(Some(user)) => Ok(user),
        _ if !has_users => Err(format!(
            "there is no user {name:?} (-u), as there is no /etc/passwd here"
        )),
        Ok(None) => Err(format!(
            "there is no user {name:?} (-u); `getent passwd` lists those there are"
        )),
        Err(errno) => Err(format!("cannot look up {name}: {errno}")),
    }?;
    let c_name = CString::new(name).map_err(|error| format!("{name:?}: {error}"))?;
    let groups = nix::unistd::getgrouplist(&c_name, user.gid)
        .map_err(|errno| format!("cannot look up the groups of {name}: {errno}"))?;
    Ok(Identity {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(name: &str, path: Option<&str>) -> Vec<String> {
        let found = candidates(OsStr::new(name), path.map(OsStr::new));
        found
            .into_iter()
            .map(|path| path.into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_command_is_looked_for_as_a_shell_does() {
        assert_eq!(tried("./a", Some("/x")), ["./a"]);
        assert_eq!(tried("a", Some("/x::/y")), ["/x/a", "./a", "/y/a"]);
        assert_eq!(tried("a", None), ["/bin/a", "/usr/bin/a"]);
        assert_eq!(tried("a", Some("")), ["./a"]);
        assert!(tried("", Some("/x")).is_empty());
    }

    #[test]
    fn a_command_that_never_ran_has_its_reason_and_a_remedy() {
        let command = |name: &str| CommandLine {
            argv: vec![name.into()],
            ..CommandLine::default()
        };
        let reason = command("no-such").explain(Report::Exec(Errno::NOENT));
        assert!(matches!(reason, NeverRan::Unknown(text) if text.contains("PATH")));
        let reason = command("/").explain(Report::Exec(Errno::ACCES));
        assert!(matches!(reason, NeverRan::NotExecutable(text) if text.contains("directory")));
        let reason = command("/bin/sh").explain(Report::Exec(Errno::NOENT));
        assert!(matches!(reason, NeverRan::NotExecutable(_)));
    }
}
