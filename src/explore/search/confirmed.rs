//! What counts of what was seen: it is tried again, and kept with the shortest schedule
//! that shows it.

use super::{BASELINES, Runner, Search};
use crate::explore::found::Problem;
use crate::explore::oracle::{Key, Symptom};
use crate::explore::schedule::Schedule;
use crate::explore::scheduler::Circumstances;

/// How often a schedule is tried again that shows something.
pub(super) const RERUNS: u32 = 3;
/// In how many of these it must show it.
const ENOUGH: u32 = 2;
/// How often what a run without a schedule had too is tried again, in turns with and without
/// one: it must be seen in all of the former, and in no more than one of the latter.
pub(super) const DOUBTED_RUNS: u32 = 8;
const BY_ITSELF: u32 = 1;
/// How often that is done in vain. What comes and goes by chance is seen so at last.
const MOST_DOUBTED: u32 = 12;

/// What a schedule showed again, with how often.
#[derive(Clone)]
struct Confirmed {
    schedule: Schedule,
    symptoms: Vec<(Symptom, u32)>,
    at_play: Circumstances,
    runs: u32,
    /// How often without a schedule, of how many runs.
    without: (u32, u32),
}

impl Confirmed {
    /// What explains most.
    fn first(&self) -> Option<Key> {
        self.symptoms.first().map(|(symptom, _)| symptom.key())
    }

    fn shown(&self) -> u32 {
        let counts = self.symptoms.iter().map(|(_, count)| *count);
        counts.max().unwrap_or(0)
    }

    fn shows(&self, which: impl Fn(&Key) -> bool) -> bool {
        let mut symptoms = self.symptoms.iter();
        symptoms.any(|(symptom, _)| which(&symptom.key()))
    }

    fn problem(&self) -> Problem {
        let symptoms = self.symptoms.iter();
        Problem {
            schedule: self.schedule.clone(),
            symptoms: symptoms.map(|(symptom, _)| symptom.clone()).collect(),
            at_play: self.at_play.clone(),
            shown: self.shown(),
            runs: self.runs,
            without: self.without,
        }
    }
}

impl<R: Runner> Search<'_, R> {
    /// Add what is new among the symptoms of a schedule, if it shows again.
    pub(super) fn add(&mut self, schedule: &Schedule, symptoms: Vec<Symptom>) {
        let news = self.news(symptoms);
        let Some(first) = news.first() else {
            return;
        };
        if let Some(confirmed) = self.confirm(schedule, &news) {
            self.keep(confirmed, Vec::new());
            let consequences = news.iter().filter(|symptom| symptom.is_consequence());
            self.consequences.extend(consequences.map(Symptom::key));
        } else if !self.baseline.is_doubtful(first) {
            let seen = (schedule.clone(), first.clone());
            self.found.unconfirmed.push(seen);
        }
    }

    /// Keep this under the shortest schedule that shows it. What that does not show is a
    /// problem of its own; of a hang whose `parts` were found the rest may follow from these.
    fn keep(&mut self, mut confirmed: Confirmed, mut parts: Vec<Key>) {
        while let Some(first) = confirmed.first() {
            let shortest = self.minimise(&confirmed);
            let follows = shortest.is_none() && parts.iter().any(|part| part.is_part_of(&first));
            if !follows {
                let problem = shortest.as_ref().unwrap_or(&confirmed).problem();
                parts.extend(problem.symptoms.iter().map(Symptom::key));
                self.found.problems.push(problem);
            }
            let symptoms = std::mem::take(&mut confirmed.symptoms).into_iter();
            let left = symptoms.filter(|(symptom, _)| {
                let key = symptom.key();
                self.is_left(symptom) && !(follows && key == first)
            });
            confirmed.symptoms = left.collect();
        }
    }

    /// Whether a symptom is not yet reported, beside what was found.
    fn is_left(&self, symptom: &Symptom) -> bool {
        !symptom.is_consequence() && !self.knows(&symptom.key())
    }

    /// Whether a problem with a longer schedule got this one: a point that is forced
    /// everywhere is longer than one occurrence.
    pub(super) fn shortens(&mut self, schedule: &Schedule, symptoms: &[Symptom]) -> bool {
        let keys: Vec<Key> = symptoms.iter().map(Symptom::key).collect();
        let shows = |problem: &Problem| {
            let first = problem.symptoms.first().map(Symptom::key);
            first.is_some_and(|first| keys.iter().any(|key| key.is_part_of(&first)))
        };
        let mut problems = self.found.problems.iter();
        let longer = problems
            .position(|problem| shows(problem) && problem.schedule.length() > schedule.length());
        let Some(index) = longer else {
            return false;
        };
        let shorter = self.confirm(schedule, symptoms);
        let Some((shorter, problem)) = shorter.zip(self.found.problems.get_mut(index)) else {
            return false;
        };
        let first = problem.symptoms.first().map(Symptom::key);
        let shows_it = first.is_some_and(|first| shorter.shows(|key| key.is_part_of(&first)));
        if !shows_it || shorter.shown() < problem.shown {
            return false;
        }
        let longer = std::mem::replace(problem, shorter.problem());
        let symptoms = longer.symptoms.into_iter();
        let left = symptoms.filter(|symptom| self.is_left(symptom));
        let left = Confirmed {
            schedule: longer.schedule,
            symptoms: left.map(|symptom| (symptom, longer.shown)).collect(),
            at_play: longer.at_play,
            runs: longer.runs,
            without: longer.without,
        };
        let parts = shorter.symptoms.iter().map(|(symptom, _)| symptom.key());
        self.keep(left, parts.collect());
        true
    }

    /// The keys of all that was found.
    fn known(&self) -> impl Iterator<Item = Key> {
        let problems = self.found.problems.iter();
        let symptoms = problems.flat_map(|problem| &problem.symptoms);
        symptoms.map(Symptom::key)
    }

    fn knows(&self, key: &Key) -> bool {
        let known: Vec<Key> = self.known().collect();
        key.is_among(known.iter())
    }

    /// What was not found yet, and does not follow from what was.
    fn news(&self, mut symptoms: Vec<Symptom>) -> Vec<Symptom> {
        let mut causes = symptoms.iter().filter(|one| !one.is_consequence());
        let has_cause = causes.any(|cause| self.knows(&cause.key()));
        symptoms.retain(|symptom| {
            let key = symptom.key();
            let follows = has_cause && self.consequences.contains(&key);
            !follows && !self.knows(&key)
        });
        symptoms
    }

    /// Try a schedule again; what is seen often enough of these symptoms, if any is.
    fn confirm(&mut self, schedule: &Schedule, seen: &[Symptom]) -> Option<Confirmed> {
        let certain = seen.iter().filter(|one| !self.baseline.is_doubtful(one));
        let certain: Vec<&Symptom> = certain.collect();
        if certain.is_empty() {
            return self.confirm_doubtful(schedule, seen.first()?);
        }
        let mut symptoms: Vec<(Symptom, u32)> = Vec::new();
        for one in certain {
            if !symptoms.iter().any(|(known, _)| known.key() == one.key()) {
                symptoms.push((one.clone(), 0));
            }
        }
        let (mut runs, mut at_play) = (0, Circumstances::default());
        for _ in 0..RERUNS {
            // What was seen when the time was up may still be enough.
            let Some(again) = self.seen_under(schedule) else {
                break;
            };
            runs += 1;
            for (symptom, count) in &mut symptoms {
                if again.iter().any(|one| one.key() == symptom.key()) {
                    *count += 1;
                    at_play.clone_from(&self.at_play);
                }
            }
        }
        symptoms.retain(|(_, count)| *count >= ENOUGH);
        (!symptoms.is_empty()).then(|| Confirmed {
            schedule: schedule.clone(),
            symptoms,
            at_play,
            runs,
            without: (0, BASELINES),
        })
    }

    /// The same for what a run without a schedule had as well.
    fn confirm_doubtful(&mut self, schedule: &Schedule, seen: &Symptom) -> Option<Confirmed> {
        if self.doubted >= MOST_DOUBTED {
            return None;
        }
        self.doubted += 1;
        let key = seen.key();
        let shows = |symptoms: Vec<Symptom>| symptoms.iter().any(|one| one.key() == key);
        let (mut by_itself, mut at_play) = (0, Circumstances::default());
        for _ in 0..DOUBTED_RUNS {
            if !shows(self.seen_under(schedule)?) {
                return None;
            }
            at_play.clone_from(&self.at_play);
            by_itself += u32::from(shows(self.seen_under(&Schedule::none())?));
            if by_itself > BY_ITSELF {
                return None;
            }
        }
        self.doubted -= 1;
        Some(Confirmed {
            schedule: schedule.clone(),
            symptoms: vec![(seen.clone(), DOUBTED_RUNS)],
            at_play,
            runs: DOUBTED_RUNS,
            without: (by_itself, DOUBTED_RUNS),
        })
    }

    /// The same under a shorter schedule, or a part of it that was not found yet, if there
    /// is one.
    fn minimise(&mut self, confirmed: &Confirmed) -> Option<Confirmed> {
        let first = confirmed.first()?;
        for candidate in self.shorter(&confirmed.schedule) {
            let symptoms = self.seen_under(&candidate)?;
            let known: Vec<Key> = self.known().collect();
            let shows = |key: &Key| {
                key.is_part_of(&first) && (*key == first || !key.is_among(known.iter()))
            };
            if !symptoms.iter().any(|symptom| shows(&symptom.key())) {
                continue;
            }
            if let Some(shorter) = self.confirm(&candidate, &symptoms)
                && shorter.shows(shows)
                && shorter.shown() >= confirmed.shown()
            {
                return Some(shorter);
            }
        }
        None
    }

    /// What may show the same: single steps of a pair, single occurrences of a
    /// point that was forced everywhere.
    fn shorter(&self, schedule: &Schedule) -> Vec<Schedule> {
        let steps = schedule.steps();
        if steps.len() > 1 {
            let single = steps.iter().map(|step| Schedule::of(step.point, step.at));
            return single.collect();
        }
        match steps.first() {
            Some(step) if step.at.is_none() => {
                let turns = self.occurrences(step.point).into_iter();
                turns.map(|at| Schedule::of(step.point, Some(at))).collect()
            }
            _ => Vec::new(),
        }
    }
}
