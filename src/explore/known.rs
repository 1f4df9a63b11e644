//! Whether something was found already. Pure.

use super::oracle::{Key, Symptom};

impl Symptom {
    /// Whether it may follow from anything else that is wrong in the same run.
    pub(super) fn is_consequence(&self) -> bool {
        matches!(self, Symptom::Status { .. } | Symptom::Output(_))
    }
}

impl Key {
    /// Whether this is all of another one or a part: of a hang some of its sleepers.
    pub(super) fn is_part_of(&self, whole: &Key) -> bool {
        match (self, whole) {
            (Key::Hang(own), Key::Hang(all)) | (Key::Stall(own), Key::Stall(all)) => {
                own.iter().all(|call| all.contains(call))
            }
            _ => self == whole,
        }
    }

    /// Whether this is one of these, or several of them at once.
    pub(super) fn is_among<'a>(&self, known: impl Iterator<Item = &'a Key>) -> bool {
        let parts: Vec<&Key> = known.filter(|key| key.is_part_of(self)).collect();
        match self {
            Key::Hang(calls) | Key::Stall(calls) => {
                let mut calls = calls.iter();
                !parts.is_empty() && calls.all(|call| parts.iter().any(|part| part.has(call)))
            }
            _ => !parts.is_empty(),
        }
    }

    fn has(&self, call: &(crate::event::Comm, &'static str)) -> bool {
        match self {
            Key::Hang(calls) | Key::Stall(calls) => calls.contains(call),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Comm;

    fn hang(names: &[&str]) -> Key {
        let call = |name: &&str| (Comm::new(name.as_bytes()), "pause");
        Key::Hang(names.iter().map(call).collect())
    }

    #[test]
    fn a_hang_of_some_is_a_part_of_one_of_more() {
        assert!(hang(&["a"]).is_part_of(&hang(&["a", "b"])));
        assert!(!hang(&["a", "b"]).is_part_of(&hang(&["a"])));
        assert!(!hang(&["a"]).is_part_of(&Key::Output));
        assert!(Key::Status(3).is_part_of(&Key::Status(3)));
        assert!(!Key::Status(3).is_part_of(&Key::Status(4)));
    }

    #[test]
    fn two_known_hangs_at_once_are_known() {
        let known = [hang(&["a"]), hang(&["b"]), Key::Output];
        assert!(hang(&["a"]).is_among(known.iter()));
        assert!(hang(&["a", "b"]).is_among(known.iter()));
        assert!(!hang(&["a", "c"]).is_among(known.iter()));
        assert!(Key::Output.is_among(known.iter()));
        assert!(!Key::Status(1).is_among(known.iter()));
        // What was seen together does not tell of each alone.
        assert!(!hang(&["a"]).is_among([hang(&["a", "b"])].iter()));
    }
}
