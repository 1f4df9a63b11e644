//! Names of users, from `/etc/passwd` alone: a directory service may not respond,
//! and this is asked for when something is wrong.

use std::fs::File;
use std::io::Read;

use rustc_hash::FxHashMap;

/// Bytes, more than a local list of users has.
const MOST: u64 = 4 << 20;

/// Names by uid.
#[derive(Debug, Default)]
pub(super) struct Users(FxHashMap<u32, String>);

impl Users {
    pub(super) fn read() -> Users {
        let mut text = Vec::new();
        if let Ok(file) = File::open("/etc/passwd") {
            // What was read before an error is used.
            let _ = file.take(MOST).read_to_end(&mut text);
        }
        Users::parse(&String::from_utf8_lossy(&text))
    }

    /// `NAME:x:UID:GID:…`; the first of several names counts.
    fn parse(text: &str) -> Users {
        let mut names = FxHashMap::default();
        for line in text.lines() {
            let mut fields = line.split(':');
            let (name, uid) = (fields.next(), fields.nth(1));
            if let (Some(name), Some(Ok(uid))) = (name, uid.map(str::parse)) {
                names.entry(uid).or_insert_with(|| name.to_owned());
            }
        }
        Users(names)
    }

    pub(super) fn name(&self, uid: u32) -> Option<&str> {
        self.0.get(&uid).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_uid_counts() {
        let users = Users::parse("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\n\nbad\na:x:b:c\n");
        assert_eq!(users.name(0), Some("root"));
        assert_eq!(users.name(1), None);
    }
}
