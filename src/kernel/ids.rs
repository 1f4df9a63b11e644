//! Ids: three kinds of numbers that all print as a pid and must not be confused.

use std::fmt;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, unknown: $unknown:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i32);

        impl $name {
            /// The id with this number.
            #[must_use]
            pub const fn new(number: i32) -> Self {
                Self(number)
            }

            /// The number.
            #[must_use]
            pub const fn raw(self) -> i32 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    0 if $unknown => f.pad("?"),
                    number => number.fmt(f),
                }
            }
        }
    };
}

id! {
    /// A thread's id, in the tracer's pid namespace; 0, which prints as `?`, where a
    /// record does not show it.
    Tid, unknown: true
}
id! {
    /// A process's id, in the tracer's pid namespace: the tid of its leader.
    Tgid, unknown: true
}
id! {
    /// A process's id as a tracee passes or receives it: in *its* namespace.
    NsPid, unknown: false
}

impl Tgid {
    /// The thread that leads the process.
    #[must_use]
    pub const fn leader(self) -> Tid {
        Tid(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_led_by_the_thread_of_its_number() {
        assert_eq!(Tgid::new(7).leader(), Tid::new(7));
    }

    #[test]
    fn an_id_that_is_not_known_is_no_number() {
        assert_eq!(format!("{:<3}|{}", Tid::new(0), Tgid::new(12)), "?  |12");
        assert_eq!(NsPid::new(0).to_string(), "0");
    }

    #[test]
    fn ids_print_as_their_numbers() {
        assert_eq!(Tid::new(7).to_string(), "7");
        assert_eq!(
            format!("{:>5}|{:<5}|", Tgid::new(7), NsPid::new(-1)),
            "    7|-1   |"
        );
    }
}
