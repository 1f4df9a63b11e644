//! Waits below a trait's method and a closure.

use std::process::{Child, Command};

trait Runner {
    fn wait_for(&mut self) -> i32;
}

struct Job(Child);

impl Runner for Job {
    #[inline(never)]
    fn wait_for(&mut self) -> i32 {
        self.0.wait().unwrap().code().unwrap()
    }
}

fn main() {
    let mut job = Job(Command::new("true").spawn().unwrap());
    let mut wait = || job.wait_for();
    std::process::exit(wait());
}
