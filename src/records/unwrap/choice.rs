//! Which stages a text needs: those that make the most of its lines a record's.

use memchr::memmem;
use rustc_hash::{FxHashMap, FxHashSet};

use super::around::behind_line;
use super::before::{line_number, name_column, number_in_bracket};
use super::broken::is_broken_at_width;
use super::is_json;
use super::lines::{Unwrapped, is_line};
use super::stage::{
    self, ENCODINGS, MARKS_BEHIND, NUMBERS, PARAGRAPH, PIDS, SOFT_ENDS, STAGES, Stage, Step,
};
use crate::records::{bsd, strace};

/// How many of its lines are looked at.
const LINES: usize = 200;
/// How many of them decide which two stages help together.
const LINES_FOR_PAIRS: usize = 60;
/// How many of them decide which words stand before the lines.
const LINES_FOR_WORDS: usize = 20;
/// How many lines in order show that all are numbered.
const FEWEST_IN_ORDER: usize = 3;
/// How many words may stand before a line.
const MOST_WORDS: usize = 14;
/// How many stages are undone at most.
const MOST_STAGES: usize = 4;

/// Whether a line is one of a record's, and whole.
fn is_record_s(line: &[u8]) -> bool {
    let is_signal_s = memmem::find(line, b"--- SIG").is_some();
    let is_half = memmem::find(line, b"<... ").is_some();
    let is_broken = is_signal_s && !line.ends_with(b"---")
        || is_half && memmem::find(line, b" = ").is_none() && !line.ends_with(b"...>");
    is_json(line) || strace::is_whole(line) && !is_broken || bsd::is_sure(line)
}

/// How many lines of a text are a record's after these stages, how many of them name
/// their task, and how many are not a record's.
#[derive(Clone, Copy, Default)]
struct Score {
    known: usize,
    pids: usize,
    unknown: usize,
}

fn score(sample: &[u8], stages: &[Stage]) -> Score {
    let mut text = Unwrapped::new(sample, stages.to_vec());
    let mut score = Score::default();
    while let Ok(Some(line)) = text.next_line() {
        let line = line.trim_ascii_end();
        if is_record_s(line) {
            score.known += 1;
            score.pids += usize::from(strace::has_pid(line) || bsd::has_pid(line));
        } else {
            score.unknown += usize::from(!line.is_empty());
        }
    }
    score
}

/// What a log's lines have, however they are wrapped.
const MARKS: [&str; 10] = [
    "{\"",
    "{&quot;",
    " CALL  ",
    "execve(",
    ") = ",
    ") =3D ",
    "unfinished",
    "resumed",
    "+++ exited",
    "SIGCHLD",
];

/// Whether a line may be a log's, however it is wrapped.
pub(super) fn has_mark(line: &[u8]) -> bool {
    let mut marks = MARKS.iter();
    marks.any(|mark| memmem::find(line, mark.as_bytes()).is_some())
}

/// A text from its first line on that may be a log's.
fn behind_prose(text: &[u8]) -> &[u8] {
    let marks = MARKS.iter();
    let first = marks.filter_map(|mark| memmem::find(text, mark.as_bytes()));
    let before = first.min().and_then(|at| text.get(..at)).unwrap_or(&[]);
    let begin = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    text.get(begin..).unwrap_or(text)
}

/// So many lines of a text.
fn first_lines(text: &[u8], count: usize) -> &[u8] {
    let end = memchr::memchr_iter(b'\n', text).nth(count);
    text.get(..end.unwrap_or(text.len())).unwrap_or(text)
}

/// The stages that make the most lines a record's; one after the other, or two
/// at once where neither helps alone.
pub(super) fn stages(sample: &[u8]) -> Vec<Stage> {
    let sample = first_lines(behind_prose(sample), LINES);
    let few = first_lines(sample, LINES_FOR_PAIRS);
    let lines = sample
        .split(|byte| *byte == b'\n')
        .filter(|line| is_line(line))
        .count();
    let mut chosen = encodings(sample);
    if has_pids_for_numbers(sample) {
        chosen.extend(STAGES.iter().find(|stage| stage.name == PIDS));
    }
    if has_marks_behind_lines(sample, 8) {
        // A call's result may have words behind it: no line shows it.
        chosen.extend(STAGES.iter().find(|stage| stage.name == MARKS_BEHIND));
    }
    let mut best = score(sample, &chosen);
    let known = known(sample);
    // Where nearly all lines are known, nothing is wrapped.
    for _ in 0..MOST_STAGES {
        while let Some((score, stages)) = without_numbers(sample, &chosen, best) {
            (best, chosen) = (score, stages);
        }
        if best.known * 10 >= lines * 9 {
            break;
        }
        let with = |more: &[Stage]| {
            let stages = [&chosen[..], more].concat();
            (score(sample, &stages), stages)
        };
        let named = names_behind(sample, &chosen);
        let single = known.iter().chain(&named).map(|stage| with(&[*stage]));
        let found = first_best(single.collect()).filter(|found| is_better(best, found));
        let found = found.or_else(|| {
            let firsts = known.iter().chain(&named);
            let firsts = firsts.filter(|stage| changes(few, &chosen, **stage));
            let pairs = firsts.flat_map(|first| {
                let named = names_behind(few, &[&chosen[..], &[*first]].concat());
                let seconds = known.iter().copied().chain(named);
                seconds.map(|second| [*first, second])
            });
            let pairs = pairs.filter(|[first, second]| first.name != second.name);
            let pairs = pairs.map(|pair| {
                let stages = [&chosen[..], &pair].concat();
                (score(few, &stages), stages)
            });
            let (_, stages) = first_best(pairs.collect())?;
            Some((score(sample, &stages), stages)).filter(|found| is_better(best, found))
        });
        let found = found.or_else(|| {
            let fewer = first_lines(few, LINES_FOR_WORDS);
            let stages = behind_words_of_others(fewer, &chosen, &known)?;
            Some((score(sample, &stages), stages)).filter(|found| is_better(best, found))
        });
        match found {
            Some((score, stages)) => (best, chosen) = (score, stages),
            None => break,
        }
    }
    without_needless(sample, without_idle(sample, chosen))
}

/// Stages of which each changes a line.
fn without_idle(sample: &[u8], mut stages: Vec<Stage>) -> Vec<Stage> {
    for at in (0..stages.len()).rev() {
        let mut without = stages.clone();
        without.remove(at);
        if is_same(sample, &stages, &without) {
            stages = without;
        }
    }
    stages
}

/// Stages of which the encodings are those alone that make more lines a record's, or
/// that lines show which are a record's already.
fn without_needless(sample: &[u8], mut stages: Vec<Stage>) -> Vec<Stage> {
    for encoding in &ENCODINGS {
        let name = encoding.stage.name;
        let Some(at) = stages.iter().position(|stage| stage.name == name) else {
            continue;
        };
        let mut without = stages.clone();
        without.remove(at);
        let helps = score(sample, &stages).known > score(sample, &without).known;
        if !helps && !(encoding.shows_in_known)(&known_lines(sample, &without)) {
            stages = without;
        }
    }
    stages
}

/// The lines of a text that are a record's after these stages, those of JSON aside:
/// what looks encoded in them is in strings.
fn known_lines(sample: &[u8], stages: &[Stage]) -> Vec<u8> {
    let mut text = Unwrapped::new(sample, stages.to_vec());
    let mut known = Vec::new();
    while let Ok(Some(line)) = text.next_line() {
        if is_record_s(line.trim_ascii_end()) && !is_json(line) {
            known.extend_from_slice(line);
        }
    }
    known
}

/// What may have been done to the characters of a text; one may hide another.
fn encodings(sample: &[u8]) -> Vec<Stage> {
    let mut chosen: Vec<Stage> = Vec::new();
    let mut text = sample.to_vec();
    loop {
        let more = ENCODINGS.iter().find(|encoding| {
            let name = encoding.stage.name;
            chosen.iter().all(|chosen| chosen.name != name) && (encoding.shows)(&text)
        });
        let Some(encoding) = more else {
            return chosen;
        };
        chosen.push(encoding.stage);
        text = after(sample, &chosen);
    }
}

/// The lines of a text after these stages.
fn after(sample: &[u8], stages: &[Stage]) -> Vec<u8> {
    let mut lines = Unwrapped::new(sample, stages.to_vec());
    let mut text = Vec::with_capacity(sample.len());
    while let Ok(Some(line)) = lines.next_line() {
        text.extend_from_slice(line);
    }
    text
}

/// The stage of the names of a file that stand before lines after these stages.
fn names_behind(sample: &[u8], stages: &[Stage]) -> Option<Stage> {
    name_column(&after(sample, stages)).map(stage::name)
}

/// Whether a stage changes a line of a text.
fn changes(sample: &[u8], chosen: &[Stage], stage: Stage) -> bool {
    !is_same(sample, chosen, &[chosen, &[stage]].concat())
}

/// Whether the lines of a text are the same after either stages.
fn is_same(sample: &[u8], some: &[Stage], others: &[Stage]) -> bool {
    let mut some = Unwrapped::new(sample, some.to_vec());
    let mut others = Unwrapped::new(sample, others.to_vec());
    while let (Ok(Some(one)), Ok(Some(other))) = (some.next_line(), others.next_line()) {
        if one != other {
            return false;
        }
    }
    true
}

/// The stages that a text may need, of which some depend on the text.
fn known(sample: &[u8]) -> Vec<Stage> {
    let mut known = STAGES.to_vec();
    if is_broken_at_width(sample) {
        // The last two.
        let last = known.len() - 1;
        known.swap(last - 1, last);
    }
    let other = if has_pids_in_brackets(sample) {
        "brackets before the lines"
    } else {
        PIDS
    };
    known.retain(|stage| stage.name != other);
    if has_pids_before_lines(sample) {
        known.retain(|stage| stage.name != NUMBERS);
    }
    if !has_marks_behind_lines(sample, 5) {
        known.retain(|stage| stage.name != MARKS_BEHIND);
    }
    if memmem::find(sample, b"=3D").is_none() {
        // Where `=` is not encoded it ends no line softly.
        known.retain(|stage| stage.name != SOFT_ENDS);
    }
    known
}

/// Whether so many of ten lines end in a mark: one that was broken may end in a comma too.
fn has_marks_behind_lines(sample: &[u8], of_ten: usize) -> bool {
    let lines = sample.split(|byte| *byte == b'\n');
    let lines: Vec<&[u8]> = lines.filter(|line| is_line(line)).collect();
    let marked = lines.iter().filter(|line| behind_line(line).is_some());
    marked.count() * 10 > lines.len() * of_ten
}

/// Whether numbers before lines are no line numbers: of ten that follow each other more
/// than one does not grow.
fn has_pids_before_lines(sample: &[u8]) -> bool {
    let lines = sample.split(|byte| *byte == b'\n');
    let numbers: Vec<u64> = lines.filter_map(line_number).collect();
    let pairs = numbers.iter().zip(numbers.iter().skip(1));
    let back = pairs.filter(|(one, next)| one >= next).count();
    back * 10 > numbers.len()
}

/// The stages with the one of line numbers, if lines are numbered: what looks like
/// pids counts them.
fn without_numbers(sample: &[u8], chosen: &[Stage], before: Score) -> Option<Scored> {
    let mut text = Unwrapped::new(sample, chosen.to_vec());
    let (mut lines, mut in_order, mut last) = (0, 0, None);
    while let Ok(Some(line)) = text.next_line() {
        if is_line(line) {
            let number = line_number(line);
            let follows = last.zip(number).is_some_and(|(last, it)| last + 1 == it);
            in_order += usize::from(follows);
            lines += 1;
            last = number;
        }
    }
    let is_numbered = in_order >= FEWEST_IN_ORDER && in_order * 10 >= lines * 8;
    let numbers = STAGES.iter().find(|stage| stage.name == NUMBERS);
    let stages = [chosen, &[*numbers.filter(|_| is_numbered)?]].concat();
    let score = score(sample, &stages);
    (score.known >= before.known).then_some((score, stages))
}

/// Whether numbers in brackets are neither those of lines nor of calls (`-n`): the
/// same call has several.
fn has_pids_for_numbers(sample: &[u8]) -> bool {
    let mut numbers: FxHashMap<&[u8], u64> = FxHashMap::default();
    let lines = sample.split(|byte| *byte == b'\n');
    let mut differ = lines.filter_map(|line| {
        let number = number_in_bracket(line)?;
        let call = line.split(|byte| *byte == b'(').next()?;
        let name = call.rsplit(|byte| *byte == b' ').next()?;
        Some(*numbers.entry(name).or_insert(number) != number)
    });
    differ.any(|differs| differs) && has_pids_in_brackets(sample)
}

/// Whether numbers in brackets are pids: some come again.
fn has_pids_in_brackets(sample: &[u8]) -> bool {
    let lines = sample.split(|byte| *byte == b'\n');
    let numbers = lines.filter_map(|line| number_in_bracket(line.trim_ascii_start()));
    let numbers: Vec<u64> = numbers.collect();
    let mut pairs = numbers.iter().zip(numbers.iter().skip(1));
    pairs.any(|(one, next)| one >= next)
}

/// Stages that take words from before each line, and what else is behind them: of
/// those that make the most lines a record's the ones that leave the most pids.
fn behind_words_of_others(sample: &[u8], chosen: &[Stage], known: &[Stage]) -> Option<Vec<Stage>> {
    // Lines are joined behind all other stages, so they are not joined yet.
    let (joins, others): (Vec<Stage>, Vec<Stage>) = chosen
        .iter()
        .partition(|stage| matches!(stage.step, Step::Join(_)));
    let mut scored = Vec::new();
    for count in 1..=MOST_WORDS {
        let words = stage::words(count);
        let text = after(sample, &[&others[..], &[words]].concat());
        let with = |more: &[Stage]| {
            let mut score = score(&text, &[&joins[..], more].concat());
            score.known += score.pids;
            (score, [chosen, &[words], more].concat())
        };
        scored.push(with(&[]));
        // Most stages change none of what is left, so they are not scored.
        let known = known.iter().filter(|stage| changes(&text, &joins, **stage));
        scored.extend(known.map(|stage| with(&[*stage])));
    }
    let (_, stages) = first_best(scored)?;
    (!hides_pids(sample, chosen, &stages)).then_some(stages)
}

/// Whether what these stages take has the pids of children in it.
fn hides_pids(sample: &[u8], before: &[Stage], stages: &[Stage]) -> bool {
    let mut whole = Unwrapped::new(sample, before.to_vec());
    let mut text = Unwrapped::new(sample, stages.to_vec());
    let (mut numbers, mut children) = (FxHashSet::default(), FxHashSet::default());
    while let (Ok(Some(whole)), Ok(Some(line))) = (whole.next_line(), text.next_line()) {
        let line = line.trim_ascii_end();
        children.extend(strace::child_of(line));
        let taken = whole.len().saturating_sub(line.len() + 1);
        if !strace::has_pid(line) {
            numbers.extend(numbers_in(whole.get(..taken).unwrap_or(&[])));
        }
    }
    !numbers.is_disjoint(&children)
}

/// The numbers in a text.
fn numbers_in(text: &[u8]) -> impl Iterator<Item = i32> {
    let words = text.split(|byte| !byte.is_ascii_digit());
    words.filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok())
}

type Scored = (Score, Vec<Stage>);

/// The best, of equals the one that leaves the most pids, of these the first.
fn first_best(scored: Vec<Scored>) -> Option<Scored> {
    scored
        .into_iter()
        .rev()
        .max_by_key(|(score, _)| (score.known, score.pids))
}

/// Whether so many lines more are known. Of joins more is wanted: a program's
/// output within a line looks like the rest of one. Words stand before all lines or
/// none: what has them amid a log is a program's.
fn is_better(before: Score, (after, stages): &Scored) -> bool {
    let joins = stages
        .iter()
        .any(|stage| matches!(stage.step, Step::Join(_)));
    // A pid is no line's number.
    if after.pids < before.pids {
        return false;
    }
    // What is wrapped otherwise, as a mail is, may be a few lines.
    let leaves_few =
        stages.len() > 1 && after.known > before.known && after.unknown * 2 <= before.unknown;
    let splits = stages.iter().any(|stage| stage.name == PARAGRAPH);
    if splits && after.unknown * 10 > after.known {
        // What is left is not whole: places may be wrong.
        return false;
    }
    let words = stages
        .iter()
        .any(|stage| matches!(stage.step, Step::Words(_)));
    let more = match () {
        () if words => before.known * 3,
        () if joins => before.known / 6,
        () => before.known / 10,
    };
    after.known > before.known + more || joins && leaves_few
}
