//! At each look: what is held goes on if what it waits for came about.

use std::time::Instant;

use super::{Explorer, ROUND};
use crate::event::{HoldEnd, HoldPoint};
use crate::tracer::World;
use crate::tracer::scheduler::{Account, Command};

impl Explorer {
    /// Look after everything that is held.
    pub(super) fn round(&mut self, world: &World<'_>) {
        let now = Instant::now();
        if let Some(last) = self.last_round.replace(now) {
            self.held_for += (now - last).min(ROUND * 2);
        }
        self.quiet.look(world, self.unreaped, now);
        let (quiet, sleeps) = (&self.quiet, &self.sleeps);
        let (mut commands, mut one_goes) = (Vec::new(), false);
        self.holds.retain(|hold| {
            if !world.is_held(hold.tid) && hold.point != HoldPoint::Death {
                return false;
            }
            let verdict = hold.verdict(now, world, quiet, sleeps);
            let is_quiet = matches!(
                verdict,
                Some(Command::Release(
                    _,
                    Account {
                        until: HoldEnd::Quiet,
                        ..
                    }
                ))
            );
            // Of several that go on because nothing else does, the first goes
            // alone; the others wait on for what they wait for.
            if is_quiet && std::mem::replace(&mut one_goes, true) {
                return true;
            }
            if let Some(verdict) = verdict {
                commands.push((hold.clone(), verdict));
            }
            verdict.is_none()
        });
        for (hold, command) in commands {
            if let Some(point) = hold.forces(&command) {
                self.forced.next(point);
            }
            if let Command::Release(_, account) = command {
                self.note_release(&hold, account);
            }
            self.commands.push_back(command);
        }
        self.serve_groups(now, world);
        self.end_late_skew(now);
    }

    /// A command is about to be done.
    pub(super) fn about_to(&mut self, command: Command) -> Command {
        match command {
            // A call that is dealt with does not stop again.
            Command::Release(tid, account) => {
                self.passed.forget(tid);
                if account.point == HoldPoint::Death && self.unreaped == Some(tid) {
                    self.unreaped = None;
                }
            }
            Command::Rewind(..) | Command::Interrupt(_) => {}
        }
        command
    }
}
