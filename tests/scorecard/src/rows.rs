//! The rows: what is measured, by which command, and how much of it makes the long form.

/// A row of the scorecard.
pub(crate) struct Row {
    /// Its number in the document.
    pub(crate) number: u32,
    /// What is measured.
    pub(crate) measure: &'static str,
    /// The command, run by a shell at the repository's root.
    pub(crate) command: &'static str,
    /// How much of it: environment variables that the tests look at.
    pub(crate) effort: &'static [(&'static str, &'static str)],
    /// The time after which each of its tests stops, unless the caller says otherwise.
    pub(crate) seconds: Option<u64>,
}

/// All rows, in the document's order.
pub(crate) const ROWS: &[Row] = &[
    Row {
        number: 1,
        measure: "SIGKILL of writers, readers and recorders at random instants, in three languages",
        command: "make test-kills",
        effort: &[("KILLS", "20000")],
        seconds: None,
    },
    Row {
        number: 2,
        measure: "death between every two steps of every act, and of those who come next",
        command: "make test-crash",
        effort: &[("POINTS", "400000")],
        seconds: None,
    },
    Row {
        number: 3,
        measure: "Every interleaving of small scenes, and every weaker memory order, under loom",
        command: "make test-model",
        effort: &[("PREEMPTIONS", "3")],
        seconds: None,
    },
    Row {
        number: 4,
        measure: "Random schedules of whole rings whose actors die at any step, and mutants of the protocol, under shuttle",
        command: "make test-shuttle",
        effort: &[("SCHEDULES", "10000000")],
        seconds: None,
    },
    Row {
        number: 5,
        measure: "the core's tests under the address sanitizer and under valgrind, those of C and C++ under three sanitizers; \
                  one report of any fails the row",
        command: "make test-sanitizers",
        effort: &[],
        seconds: None,
    },
    Row {
        number: 6,
        measure: "coverage-guided fuzzing of everything that takes bytes from outside, under the address sanitizer",
        command: "make fuzz",
        effort: &[],
        seconds: Some(600),
    },
    Row {
        number: 7,
        measure: "random tables of random types from C++, Rust and Python to each of them, compared in full",
        command: "make test-round-trips",
        effort: &[("ROUND_TRIPS", "200000")],
        seconds: None,
    },
    Row {
        number: 8,
        measure: "laps without end: sequences past 2^32, changing writers, readers and schemas, memory",
        command: "make soak",
        effort: &[],
        seconds: Some(3600),
    },
    Row {
        number: 9,
        measure: "each system call of each act failing with each error that the kernel may give it",
        command: "make test-faults",
        effort: &[("FAULTS", "20000")],
        seconds: None,
    },
    Row {
        number: 10,
        measure: "a process that rewrites frames while they are read with FullOnCopy, under the address sanitizer",
        command: "make test-hostile",
        effort: &[("TRIALS", "1000000")],
        seconds: None,
    },
    Row {
        number: 11,
        measure: "a thousand reader processes of one ring, 100 a minute killed and replaced",
        command: "make test-crowd",
        effort: &[("READERS", "1000")],
        seconds: Some(600),
    },
    Row {
        number: 12,
        measure: "rings between containers: namespaces, users, limits, read-only and full folders, no /proc",
        command: "make test-containers",
        effort: &[],
        seconds: None,
    },
    Row {
        number: 13,
        measure: "Golden images of the layout: read exactly, refused by the field that was changed, still written",
        command: "make test-golden",
        effort: &[],
        seconds: None,
    },
    Row {
        number: 14,
        measure: "lines of the ring core (`rust/qadataswap/src`, tests left out) that the Rust tests run",
        command: "make coverage",
        effort: &[("LEAST", "95")],
        seconds: None,
    },
    Row {
        number: 15,
        measure: "observers, who may only read, beside a writer in full flight",
        command: "make test-observers",
        effort: &[("FRAMES", "2000000")],
        seconds: None,
    },
];

/// Row numbers as people write them: `1,4-6`.
pub(crate) fn parse(text: &str) -> Result<Vec<u32>, String> {
    let number = |text: &str| text.trim().parse::<u32>().map_err(|error| format!("row {text}: {error}"));
    let mut chosen = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            Some((first, last)) => chosen.extend(number(first)?..=number(last)?),
            None => chosen.push(number(part)?),
        }
    }
    match chosen.iter().find(|number| !ROWS.iter().any(|row| row.number == **number)) {
        Some(number) => Err(format!("there is no row {number}")),
        None => Ok(chosen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_order() {
        assert!(ROWS.is_sorted_by(|one, next| one.number < next.number));
    }

    #[test]
    fn rows_are_chosen_by_number_and_by_range() {
        assert_eq!(parse("1"), Ok(vec![1]));
        assert_eq!(parse("1-1,1"), Ok(vec![1, 1]));
        assert!(parse("99").is_err() && parse("x").is_err());
    }
}
