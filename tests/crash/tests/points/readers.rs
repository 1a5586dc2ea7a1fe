//! What readers do when they die.

use crate::act::Act;
use crate::deadline::PROMPT;
use crate::frames::table;
use crate::judge;
use crate::scene::{Full, Owed};
use crate::stage::{Cast, Follower, SEED, SLOTS, Stage, Verdict, mortal_config, write_until};
use crate::victim::Victim;
use crate::writers::{died_publishing, publish, sent_in_part};
use qadataswap_mortal::{Reader, SharedDataStream, Writer};
use std::mem::forget;
use std::time::{Duration, Instant};

/// A living writer that has written so many frames, and a lossless reader that has read them.
pub(crate) fn live(stage: &Stage, frames: u64) -> Cast {
    let writer = stage.ring.writer().expect("created");
    let mut follower = Follower::of(&stage.ring).expect("attached");
    let mut cast = Cast { writer: Some(writer), ..Cast::default() };
    while cast.written < frames {
        cast.write().expect("there is room");
        follower.read_until(cast.written).expect("just written");
    }
    cast.follows(follower)
}

/// The victim attaches as whatever the policy says, and lives until it is ready.
fn attached(stage: &Stage, policy: Owed) -> Reader {
    Reader::new(mortal_config(&stage.ring.clone().policy(policy))).expect("attached")
}

pub(crate) fn attach(stage: &Stage, arm: &dyn Fn(), policy: Owed) {
    arm();
    forget(Reader::new(mortal_config(&stage.ring.clone().policy(policy))));
}

/// Attaches to whatever there is, and reads to its end.
pub(crate) fn read_through(stage: &Stage, arm: &dyn Fn()) {
    arm();
    let Ok(reader) = Reader::new(stage.mortal()) else { return };
    while let Ok(Some(_)) = reader.read_frame(0) {}
    forget(reader);
}

/// Waits until a writer waits.
fn until_awaited(stage: &Stage) {
    let deadline = Instant::now() + PROMPT;
    while !stage.scene.info(&stage.ring.name).is_ok_and(|info| info.waiting.is_some()) {
        assert!(Instant::now() < deadline, "no writer waits");
        std::thread::yield_now();
    }
    // It is asleep by now, or soon.
    std::thread::sleep(Duration::from_micros(500));
}

/// The living writer writes on, and comes to wait for the victim, which lets go or dies.
fn write_meanwhile(_: &Stage, cast: &mut Cast, victim: &Victim) -> Verdict {
    loop {
        let is_dead = victim.is_dead();
        cast.write()?;
        for follower in &mut cast.followers {
            follower.read_until(cast.written)?;
        }
        if is_dead {
            return Ok(());
        }
    }
}

pub(crate) fn acts() -> Vec<Act> {
    let next: &[crate::act::Deed] = &[read_through];
    let orphans: &[crate::act::Deed] = &[read_through, publish];
    let reader = |name, play: crate::act::Deed| {
        Act::new(name, |stage| live(stage, SLOTS + 2), play, judge::reader).then(next)
    };
    vec![
        reader("attach as lossless", |stage, arm| attach(stage, arm, Owed::Lossless)),
        reader("attach as lossy", |stage, arm| attach(stage, arm, Owed::Lossy)),
        reader("attach as latest", |stage, arm| attach(stage, arm, Owed::Latest)),
        reader("attach at the newest", |stage, arm| {
            arm();
            forget(Reader::new(mortal_config(&stage.ring.clone().newest())));
        }),
        Act::new(
            "attach where others have died",
            |stage| {
                let cast = live(stage, SLOTS);
                for policy in [Owed::Lossless, Owed::Lossy] {
                    stage.dies(0, &|_| {
                        let reader = attached(stage, policy);
                        forget(reader.read_frame(0));
                        forget(reader);
                    });
                }
                cast
            },
            |stage, arm| attach(stage, arm, Owed::Lossless),
            judge::reader,
        )
        .then(next),
        reader("read", |stage, arm| {
            let reader = attached(stage, Owed::Lossless);
            arm();
            drop(reader.read_frame(0).expect("no error").expect("a frame"));
            forget(reader);
        }),
        reader("read the latest", |stage, arm| {
            let reader = attached(stage, Owed::Latest);
            arm();
            drop(reader.read_frame(0).expect("no error").expect("a frame"));
            forget(reader);
        }),
        reader("hold frames and let them go", |stage, arm| {
            let reader = attached(stage, Owed::Lossless);
            arm();
            let frames: Vec<_> = (0..3).map(|_| reader.read_frame(0).expect("no error")).collect();
            drop(frames);
            forget(reader);
        }),
        reader("close and hold a frame on", |stage, arm| {
            let reader = attached(stage, Owed::Lossless);
            let frame = reader.read_frame(0).expect("no error");
            arm();
            reader.close();
            drop(frame);
        }),
        reader("leave", |stage, arm| {
            let reader = attached(stage, Owed::Lossy);
            arm();
            drop(reader);
        }),
        Act::new(
            "be overtaken",
            |_| Cast::default(),
            |stage, arm| {
                let writer = Writer::new(mortal_config(&stage.ring.clone().full(Full::Overwrite)));
                let writer = writer.expect("created");
                let reader = attached(stage, Owed::Lossy);
                write_until(&writer, 2 * SLOTS);
                arm();
                drop(reader.read_frame(0).expect("no error").expect("a frame"));
                forget((reader, writer));
            },
            judge::writer,
        )
        .then(orphans),
        reader("make space for a writer by reading", |stage, arm| {
            let reader = attached(stage, Owed::Lossless);
            until_awaited(stage);
            arm();
            drop(reader.read_frame(0).expect("no error").expect("a frame"));
            forget(reader);
        })
        .meanwhile(write_meanwhile),
        reader("make space for a writer by letting go", |stage, arm| {
            let reader = attached(stage, Owed::Lossy);
            let mut frames = Vec::new();
            while (frames.len() as u64) < SLOTS {
                frames.extend(reader.read_frame(PROMPT).expect("no error"));
            }
            until_awaited(stage);
            arm();
            drop(frames);
            forget(reader);
        })
        .meanwhile(write_meanwhile),
        reader("make space for a writer by closing", |stage, arm| {
            let reader = attached(stage, Owed::Lossless);
            until_awaited(stage);
            arm();
            reader.close();
            drop(reader);
        })
        .meanwhile(write_meanwhile),
        Act::new(
            "come to a ring whose writer died publishing",
            |stage| died_publishing(stage, SLOTS),
            read_through,
            judge::writer,
        )
        .then(orphans),
        Act::new(
            "find the writer dead",
            |stage| {
                stage.former_writer(2);
                Cast { written: 2, ..Cast::default() }
            },
            |stage, arm| {
                let reader = attached(stage, Owed::Lossless);
                let deadly = 1 + stage.below(60);
                stage.dies(deadly, &|arm| publish(stage, arm));
                arm();
                while let Ok(Some(_)) = reader.read_frame(0) {}
                forget(reader);
            },
            judge::writer,
        )
        .then(orphans),
        Act::new(
            "leave as the last",
            |stage| {
                stage.former_writer(2);
                Cast::default()
            },
            |stage, arm| {
                let reader = attached(stage, Owed::Lossless);
                while let Ok(Some(_)) = reader.read_frame(0) {}
                arm();
                drop(reader);
            },
            judge::writer,
        )
        .then(orphans),
        Act::new(
            "take a stream",
            |stage| {
                stage.dies(0, &sent_in_part(stage));
                Cast::default()
            },
            |stage, arm| {
                arm();
                let stream = SharedDataStream::create_reader(stage.mortal()).expect("its beginning is there");
                let chunk = stream.read_chunk(PROMPT).expect("no error").expect("a chunk");
                assert!(chunk == table(SEED, 0));
                stream.close().expect("a reader closes");
                forget(stream);
            },
            judge::writer,
        )
        .then(orphans),
    ]
}
