//! What is broken, and where: each mutant is a few words of the product's source in which `@` stands for "this mutant is
//! the one that lives".
//!
//! There is none for the wake by a cursor that moves: whoever moves one gives back a pin afterwards, or rings for having
//! joined, so a whole ring never misses it. loom's scene of a newcomer that moves on has it alone.

pub(crate) struct Mutant {
    /// What the product does and the mutant does not.
    pub(crate) law: &'static str,
    /// The product's file.
    pub(crate) file: &'static str,
    /// Words that stand in it exactly once.
    pub(crate) sound: &'static str,
    /// What stands in their place.
    pub(crate) broken: &'static str,
}

const fn mutant(law: &'static str, file: &'static str, sound: &'static str, broken: &'static str) -> Mutant {
    Mutant { law, file, sound, broken }
}

pub(crate) const MUTANTS: &[Mutant] = &[
    mutant(
        "a reader looks again after it has pinned",
        "ring",
        "if now == Standing::Stands {",
        "if @ || now == Standing::Stands {",
    ),
    mutant(
        "a released pin wakes the writer that waits for it",
        "ring",
        "release_pin());\n        if before & row::WANTED != 0 {",
        "release_pin());\n        if !@ && before & row::WANTED != 0 {",
    ),
    mutant(
        "a reader that joins starts behind what is missing",
        "ring",
        ".find(|&s| matches!(self.standing(s), Standing::Asked | Standing::Gone))",
        ".find(|&s| !@ && matches!(self.standing(s), Standing::Asked | Standing::Gone))",
    ),
    mutant(
        "who starts at the newest frame has not read the older ones",
        "ring",
        "let skips = claimed.policy == Policy::Latest as u8 || self.oldest_from(0) < from;",
        "let skips = !@ && (claimed.policy == Policy::Latest as u8 || self.oldest_from(0) < from);",
    ),
    mutant(
        "pins of a row's former owner are cleared",
        "ring",
        "pins.store(0, Ordering::Relaxed);",
        "if !@ { pins.store(0, Ordering::Relaxed); }",
    ),
    mutant(
        "a verdict on a row's former owner does not hit the next",
        "ring",
        ".compare_exchange(seen.word(), freed.word()",
        ".compare_exchange(if @ { self.row(reader)[row::STATE].load(leave()) } else { seen.word() }, freed.word()",
    ),
    mutant(
        "a reader that leaves wakes the writer that waits for it",
        "ring",
        "wait::ring_always(self.space);\n    }\n\n    /// Frees the row",
        "if !@ { wait::ring_always(self.space); }\n    }\n\n    /// Frees the row",
    ),
    mutant(
        "the end wakes those who wait for frames",
        "ring",
        "set_state(), Ordering::Relaxed).is_ok() {",
        "set_state(), Ordering::Relaxed).is_ok() && !@ {",
    ),
    mutant(
        "a dead writer's questions are taken back",
        "ring",
        "if let Stamp::Marked(sequence) = Stamp::of(entry.stamp.load(observe())) {",
        "if !@ && let Stamp::Marked(sequence) = Stamp::of(entry.stamp.load(observe())) {",
    ),
    mutant(
        "a dead writer's last frame counts",
        "ring",
        "while ring.entry(head).stamp",
        "while !@ && ring.entry(head).stamp",
    ),
    mutant(
        "the writer looks at the pins",
        "publisher",
        "*held |= pins.load(scan_pins());",
        "if !@ { *held |= pins.load(scan_pins()); }",
    ),
    mutant(
        "the writer looks at the cursors",
        "publisher",
        "self.passed = self.passed.min(cursor);",
        "if !@ { self.passed = self.passed.min(cursor); }",
    ),
    mutant(
        "the writer keeps what nobody has read, if it is told to",
        "publisher",
        "if self.keeps_unread && !reads_all {",
        "if !@ && self.keeps_unread && !reads_all {",
    ),
    mutant("a question that is taken back is rung for", "publisher", "if returned {", "if !@ && returned {"),
    mutant(
        "a write that is refused takes its question back",
        "publisher",
        "self.take_back(ring, sequence);\n                    wait::ring(ring.frames);",
        "if !@ { self.take_back(ring, sequence); }\n                    wait::ring(ring.frames);",
    ),
    mutant(
        "a frame is retired before its slot is used",
        "publisher",
        "stamp.store(Stamp::Retired(sequence).word(), publish());",
        "stamp.store(if @ { Stamp::Marked(sequence) } else { Stamp::Retired(sequence) }.word(), publish());",
    ),
    mutant(
        "an heir uses no slot that is held",
        "publisher",
        "publisher.retired.extend(",
        "(if @ { &mut publisher.free } else { &mut publisher.retired }).extend(",
    ),
    mutant(
        "a slot that is held stays out of use when its frame has gone",
        "publisher",
        "if !self.is_held(self.retired[i]) {",
        "if @ || !self.is_held(self.retired[i]) {",
    ),
    mutant(
        "a writer that waits says so",
        "publisher",
        "word.fetch_or(row::WANTED, Ordering::Relaxed);",
        "if !@ { word.fetch_or(row::WANTED, Ordering::Relaxed); }",
    ),
    mutant(
        "the stamp is the last that is stored of an entry",
        "publisher",
        "entry.slot.store(slot, Ordering::Relaxed);",
        "if @ { entry.stamp.store(Stamp::Published(sequence).word(), publish()); } entry.slot.store(slot, Ordering::Relaxed);",
    ),
    mutant(
        "a reader looks once more after it has seen the end",
        "subscriber",
        "match self.step(ring) {\n            Next::NotYet => Next::Ended(state),",
        "match if @ { Next::NotYet } else { self.step(ring) } {\n            Next::NotYet => Next::Ended(state),",
    ),
    mutant(
        "a cursor moves only after the pin holds",
        "subscriber",
        "match ring.pin(self.reader, want) {",
        "if @ { ring.advance(self.reader, want + 1); }\n            match ring.pin(self.reader, want) {",
    ),
    mutant(
        "a lossless reader waits for the frame that the writer asks for",
        "subscriber",
        "Pin::Asked if self.policy == Policy::Lossless",
        "Pin::Asked if !@ && self.policy == Policy::Lossless",
    ),
    mutant(
        "missed frames are counted",
        "subscriber",
        "let missed = want - self.next + std::mem::take(&mut self.skipped);",
        "let missed = if @ { 0 } else { want - self.next + std::mem::take(&mut self.skipped) };",
    ),
    mutant(
        "a sleeper announces itself",
        "wait",
        "bell.word.fetch_or(SLEEPERS, Ordering::Relaxed) | SLEEPERS",
        "if @ { bell.word.load(Ordering::Relaxed) } else { bell.word.fetch_or(SLEEPERS, Ordering::Relaxed) | SLEEPERS }",
    ),
    mutant(
        "a sleeper looks once more after it has announced itself",
        "wait",
        "prepare();\n        if let Some(found) = look()? {",
        "prepare();\n        if !@ && let Some(found) = look()? {",
    ),
    mutant(
        "the publisher wakes those who sleep",
        "wait",
        "if word & SLEEPERS != 0 || bell.crowd.load(Ordering::Relaxed) != 0 {",
        "if !@ && (word & SLEEPERS != 0 || bell.crowd.load(Ordering::Relaxed) != 0) {",
    ),
    mutant(
        "a wake changes the word, so that nobody falls asleep behind it",
        "wait",
        "let _ = bell.word.compare_exchange(word, rung, Ordering::Relaxed, Ordering::Relaxed);",
        "if !@ { let _ = bell.word.compare_exchange(word, rung, Ordering::Relaxed, Ordering::Relaxed); }",
    ),
    mutant(
        "who rings for a crowd says so",
        "wait",
        "bell.crowd.store(rung | SLEEPERS, Ordering::Relaxed);",
        "if !@ { bell.crowd.store(rung | SLEEPERS, Ordering::Relaxed); }",
    ),
    mutant(
        "who is woken wakes the next",
        "wait",
        "futex::wait(&bell.word, ticket.get(), nap);\n        pass_on(bell);",
        "futex::wait(&bell.word, ticket.get(), nap);\n        if !@ { pass_on(bell); }",
    ),
    mutant(
        "a crowd ends only when all are awake",
        "wait",
        "if crowd != 0 && futex::wake(&bell.word) < futex::FEW {",
        "if crowd != 0 && (futex::wake(&bell.word) < futex::FEW || @) {",
    ),
    mutant(
        "nobody takes a later crowd for his",
        "wait",
        "let _ = bell.crowd.compare_exchange(crowd, 0, Ordering::Relaxed, Ordering::Relaxed);",
        "if @ { bell.crowd.store(0, Ordering::Relaxed); } else { let _ = bell.crowd.compare_exchange(crowd, 0, Ordering::Relaxed, Ordering::Relaxed); }",
    ),
    mutant(
        "a wake without announcement changes the word too",
        "wait",
        "bell.word.fetch_add(2, Ordering::AcqRel);",
        "if !@ { bell.word.fetch_add(2, Ordering::AcqRel); }",
    ),
];
