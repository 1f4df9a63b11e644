//! In which order the occurrences of a point are tried. Pure.
//!
//! A wrapper (a shim of a version manager, a script) may reach a point a hundred times
//! before the program that matters begins. So the places take turns, those that were
//! reached last first; of each place the first occurrence, the last one, the second one
//! and so on.

use super::scheduler::Place;

/// Which occurrences of `count` are tried, at most so many; `places` has who reached
/// them, as far as it is known.
pub(super) fn in_turns(places: &[Place], count: u32, most: usize) -> Vec<u32> {
    let mut groups: Vec<(Option<Place>, Vec<u32>)> = Vec::new();
    let known = places.iter().copied().map(Some);
    let known = known.chain(std::iter::repeat(None));
    for (number, place) in (1..=count).zip(known) {
        match groups.iter_mut().find(|(own, _)| *own == place) {
            Some((_, numbers)) => numbers.push(number),
            None => groups.push((place, vec![number])),
        }
    }
    groups.reverse();
    let turns = groups.iter().map(|(_, numbers)| numbers.len()).max();
    let mut order = Vec::new();
    for turn in 0..turns.unwrap_or(0) {
        for (_, numbers) in &groups {
            let index = match turn % 2 {
                0 => Some(turn / 2),
                _ => numbers.len().checked_sub(turn / 2 + 1),
            };
            let is_left = turn < numbers.len();
            let number = index.filter(|_| is_left).and_then(|at| numbers.get(at));
            order.extend(number);
            if order.len() >= most {
                return order;
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Comm;

    fn place(program: &str) -> Place {
        Place {
            program: Comm::new(program.as_bytes()),
            call: "",
        }
    }

    #[test]
    fn of_one_place_the_first_and_the_last_take_turns() {
        let shell = [place("sh"); 5];
        assert_eq!(in_turns(&shell, 5, 60), [1, 5, 2, 4, 3]);
        assert_eq!(in_turns(&shell, 5, 2), [1, 5]);
        assert_eq!(in_turns(&[], 4, 60), [1, 4, 2, 3]);
        assert!(in_turns(&[], 0, 60).is_empty());
    }

    #[test]
    fn a_program_that_began_late_comes_before_a_wrapper_with_many_occurrences() {
        let mut places = vec![place("sh"); 100];
        places.extend([place("racy"), place("racy"), place("late")]);
        let order = in_turns(&places, 103, 60);
        assert_eq!(order[..6], [103, 101, 1, 102, 100, 2]);
        assert_eq!(order.len(), 60);
        // Those of which nothing is known are one place, the last one.
        assert_eq!(in_turns(&places, 104, 60)[..3], [104, 103, 101]);
    }

    #[test]
    fn every_occurrence_is_tried_once_if_there_is_room() {
        let places = ["a", "b", "a", "c", "b", "a"].map(place);
        let mut order = in_turns(&places, 6, 60);
        order.sort_unstable();
        assert_eq!(order, [1, 2, 3, 4, 5, 6]);
    }
}
