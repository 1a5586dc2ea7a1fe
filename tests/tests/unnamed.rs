//! Rings without a name: all that holds of rings with one, nothing in any folder, and nothing that is left.
//!
//! `QADATASWAP_KILLS` says how many kills there are in all tests together; some hundreds unless given.

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::memfd::{MFdFlags, memfd_create};
use qadataswap::inspect::{self, RingState};
use qadataswap::{
    ErrorKind, QADataSwapError, Reader, ReaderPolicy, SharedDataStream, SharedMemoryConfig, Writer,
};
use qadataswap_tests::kills::{self, SEED};
use qadataswap_tests::scene::Owed;
use qadataswap_tests::{Actor, Line, PROMPT, Role, Scene, check, eventually, skip, table};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// Not root, and nobody whom the tests run as.
const OTHER: u32 = 65_534;

fn kind<T>(result: Result<T, QADataSwapError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// A small ring without a name.
fn unnamed(name: &str) -> SharedMemoryConfig {
    SharedMemoryConfig::new(name)
        .with_memfd(true)
        .with_buffer_count(4)
        .with_slot_bytes(64 << 10)
        .with_max_readers(8)
}

/// A name that no other test's rings have, on all of the machine.
fn unique(what: &str) -> String {
    format!("{what}-{}", std::process::id())
}

/// Descriptors of this process that are of rings of this name.
fn descriptors_of(name: &str) -> usize {
    let target = format!("/memfd:qads_{name} (deleted)");
    let open = std::fs::read_dir("/proc/self/fd").expect("/proc is there").flatten();
    open.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|path| path.to_str() == Some(&target))).count()
}

/// Files that carry this name, wherever rings with names lie.
fn files_of(name: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/dev/shm").expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|file| file.contains(name)).collect()
}

#[test]
fn killed_writers_of_a_ring_without_a_name_leave_whole_frames_and_their_heirs_go_on() {
    kills::of_writers_in(&Scene::unnamed(), kills::effort(20), &mut Actor::start);
}

#[test]
fn killed_readers_of_a_ring_without_a_name_neither_stall_the_writer_nor_leave_a_pin() {
    kills::of_readers_in(&Scene::unnamed(), kills::effort(20), &mut Actor::start);
}

#[test]
fn kills_on_all_sides_of_a_ring_without_a_name_tear_no_frame() {
    kills::of_anybody_in(&Scene::unnamed(), kills::effort(20), &mut Actor::start);
}

#[test]
fn forked_children_are_told_and_take_nothing_from_their_parent() {
    let scene = Scene::unnamed();
    Actor::start(&Role::Fork { ring: scene.ring("feed") }).finish();
}

#[test]
fn a_forked_child_does_not_keep_a_killed_writer_alive() {
    let scene = Scene::unnamed();
    let ring = scene.ring("feed").sleep();
    let mut parent = Actor::start(&Role::ForkAndStay { ring: ring.clone(), seed: SEED });
    let Line::Fact(_, child) = parent.line() else { panic!("no child") };
    let reader = ring.reader().expect("attached");
    parent.kill();
    assert!(Path::new(&format!("/proc/{child}/stat")).exists(), "the child lives on");
    for sequence in 0..3 {
        let frame = reader.read_frame(PROMPT).expect("no error").expect("a frame");
        assert_eq!(frame.sequence(), sequence);
        check(SEED, &frame).expect("whole");
    }
    assert_eq!(kind(reader.read_frame(PROMPT)), Some(ErrorKind::WriterDied));
    let heir = ring.writer().expect("a new writer takes over at once");
    assert_eq!(heir.write_arrow(&table(SEED, 3)).expect("written"), 3);
    parent.close();
}

#[test]
fn the_last_one_out_frees_the_memory_and_nothing_is_anywhere() {
    let scene = Scene::unnamed();
    let name = unique("last-out");
    let ring = scene.ring(&name);
    let mut writer = kills::writer(&mut Actor::start, &ring, None, true, false);
    writer.opens();
    // A watch is told of the file's end, and does not keep it.
    let end = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).expect("a watch");
    let region = ring.region().expect("the keeper has it");
    let path = format!("/proc/self/fd/{}", region.as_raw_fd());
    end.add_watch(path.as_str(), AddWatchFlags::IN_DELETE_SELF).expect("watched");
    drop(region);
    let mut reader = kills::follower(&mut Actor::start, &ring, 2);
    reader.opens();
    assert_eq!(files_of(&name), [""; 0], "a file has the ring's name");
    assert_eq!(scene.files(), [""; 0]);
    assert_eq!(descriptors_of(&name), 1, "the keeper's");
    scene.keeper().let_go();
    assert_eq!(descriptors_of(&name), 0);
    writer.kill();
    let Line::Orphaned { .. } = reader.line() else { panic!("the reader is not told") };
    assert_eq!(end.read_events().err(), Some(Errno::EAGAIN), "the reader has it still");
    reader.kill();
    eventually("the kernel frees the region", || match end.read_events() {
        Ok(events) => events.iter().any(|event| event.mask.contains(AddWatchFlags::IN_DELETE_SELF)),
        Err(error) => {
            assert_eq!(error, Errno::EAGAIN);
            false
        }
    });
    assert_eq!(files_of(&name), [""; 0]);
}

#[test]
fn a_frame_keeps_the_region_when_everything_else_is_gone() {
    let name = unique("held");
    let writer = Writer::new(unnamed(&name)).expect("created");
    let reader = Reader::from_fd(writer.share().expect("shared"), "").expect("attached");
    assert_eq!((reader.name(), writer.name()), (name.clone(), name.clone()));
    writer.write_arrow(&table(SEED, 0)).expect("written");
    let frame = reader.read_frame(PROMPT).expect("no error").expect("a frame");
    writer.close().expect("no loan is out");
    drop(reader);
    check(SEED, &frame).expect("whole");
    assert!(descriptors_of(&name) > 0);
    drop(frame);
    assert_eq!(descriptors_of(&name), 0, "a descriptor is left");
    assert_eq!(kind(writer.share()), Some(ErrorKind::Closed));
    assert_eq!(kind(writer.region_fd()), Some(ErrorKind::Closed));
}

#[test]
fn nobody_can_change_the_size_or_the_seals_of_what_is_handed_out() {
    let writer = Writer::new(unnamed("sealed")).expect("created");
    let handed_out = File::from(writer.share().expect("shared"));
    let length = handed_out.metadata().expect("a file").len();
    let anew =
        File::options().read(true).write(true).open(format!("/proc/self/fd/{}", handed_out.as_raw_fd()));
    for file in [&handed_out, &anew.expect("its owner may")] {
        for size in [0, length - 1, length + 1] {
            let error = file.set_len(size).expect_err("it is sealed");
            assert_eq!(error.raw_os_error(), Some(Errno::EPERM as i32), "{size}");
        }
        for seal in [SealFlag::F_SEAL_WRITE, SealFlag::F_SEAL_SHRINK] {
            assert_eq!(fcntl(file.as_fd(), FcntlArg::F_ADD_SEALS(seal)), Err(Errno::EPERM), "{seal:?}");
        }
    }
    // And the ring does not mind.
    let reader = Reader::from_fd(&handed_out, "sealed").expect("attached");
    writer.write_arrow(&table(SEED, 0)).expect("written");
    check(SEED, &reader.read_frame(PROMPT).expect("no error").expect("a frame")).expect("whole");
}

#[test]
fn whoever_takes_the_memory_out_of_it_faults_nobody() {
    let writer = Writer::new(unnamed("emptied")).expect("created");
    let region = File::from(writer.share().expect("shared"));
    for sequence in 0..3 {
        writer.write_arrow(&table(SEED, sequence)).expect("written");
    }
    drop(writer);
    let reader = Reader::from_fd(&region, "").expect("attached");
    let frame = reader.read_frame(PROMPT).expect("no error").expect("a frame");
    check(SEED, &frame).expect("whole");
    let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    let length = region.metadata().expect("a file").len();
    fallocate(region.as_fd(), hole, 0, length.try_into().expect("small")).expect("one may");
    assert_eq!(region.metadata().expect("a file").blocks(), 0, "memory is left");
    // There is memory under every page that is touched, and zeros are in it.
    assert!(check(SEED, &frame).is_err(), "nothing was taken");
    assert!(!matches!(reader.read_frame(1), Ok(Some(_))), "a frame out of nothing");
}

/// A memory file of these bytes, sealed as a region is.
fn sealed(bytes: &[u8]) -> File {
    let file = memfd_create("qads_forged", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)
        .expect("a memory file");
    let file = File::from(file);
    file.write_all_at(bytes, 0).expect("written");
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(file.as_fd(), FcntlArg::F_ADD_SEALS(seals)).expect("sealed");
    file
}

#[track_caller]
fn is_refused(fd: impl AsFd, expected: ErrorKind) {
    assert_eq!(kind(Reader::from_fd(&fd, "forged")), Some(expected), "reader");
    assert_eq!(kind(Writer::from_fd(&fd, "forged")), Some(expected), "writer");
    assert_eq!(kind(inspect::info_of(&fd)), Some(expected), "info");
}

#[test]
fn what_is_no_sealed_memory_file_is_refused() {
    let unsealed =
        memfd_create("qads_open", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).expect("made");
    is_refused(&unsealed, ErrorKind::InvalidConfig);
    let error = Reader::from_fd(&unsealed, "forged").expect_err("unsealed").to_string();
    assert!(error.contains("without these seals") && error.contains("memfd"), "{error}");

    let scene = Scene::new();
    let named = scene.ring("feed");
    let writer = named.writer().expect("created");
    is_refused(File::open(named.path()).expect("there"), ErrorKind::InvalidConfig);
    let error = writer.share().expect_err("it has a name");
    assert!(error.kind() == ErrorKind::InvalidConfig && error.to_string().contains("qads_feed"), "{error}");
    drop(writer);
    assert_eq!(scene.gc(), ["feed"; 0], "nothing was read or written: it went");

    let (end, other_end) = std::io::pipe().expect("a pipe");
    is_refused(&end, ErrorKind::InvalidConfig);
    is_refused(&other_end, ErrorKind::InvalidConfig);
    is_refused(File::open("/proc/self/maps").expect("there"), ErrorKind::InvalidConfig);
    assert_eq!(kind(Reader::new(unnamed("feed"))), Some(ErrorKind::InvalidConfig), "no descriptor at all");
}

#[test]
fn sealed_memory_files_that_are_no_regions_are_refused() {
    let writer = Writer::new(unnamed("whole")).expect("created");
    writer.write_arrow(&table(SEED, 0)).expect("written");
    let mut whole = Vec::new();
    let region = File::from(writer.share().expect("shared"));
    whole.resize(usize::try_from(region.metadata().expect("a file").len()).expect("small"), 0);
    region.read_exact_at(&mut whole, 0).expect("read");

    let copy = sealed(&whole);
    Reader::from_fd(&copy, "")
        .expect("a copy is as good")
        .try_read_frame()
        .expect("no error")
        .expect("a frame");
    is_refused(sealed(&[]), ErrorKind::Incompatible);
    is_refused(sealed(&whole[..100]), ErrorKind::Incompatible);
    is_refused(sealed(&whole[..4096]), ErrorKind::Corrupt);
    is_refused(sealed(&vec![0; 1 << 20]), ErrorKind::Incompatible);
    let at = |field: &str| {
        let layout = qadataswap::describe_layout(4, 8, 64 << 10).expect("in range");
        let found = layout.iter().find(|each| each.name == field).unwrap_or_else(|| panic!("no {field}"));
        usize::try_from(found.offset).expect("small")
    };
    let altered = |offset: usize, byte| {
        let mut bytes = whole.clone();
        bytes[offset] ^= byte;
        sealed(&bytes)
    };
    is_refused(altered(at("Header.magic"), 1), ErrorKind::Incompatible);
    is_refused(altered(at("Header.layout_version"), 0x80), ErrorKind::Incompatible);
    let geometry = at("Header.geometry");
    for field in ["buffer_count", "max_readers", "slot_bytes", "control_bytes", "region_bytes"] {
        let offset = geometry + at(&format!("Geometry.{field}"));
        is_refused(altered(offset, 0x81), ErrorKind::Corrupt);
    }
}

#[test]
fn an_heir_has_the_region_s_size_or_none() {
    let writer = Writer::new(unnamed("feed")).expect("created");
    let region = writer.share().expect("shared");
    assert_eq!(kind(Writer::from_fd(&region, "")), Some(ErrorKind::WriterExists));
    writer.write_arrow(&table(SEED, 0)).expect("written");
    drop(writer);
    for other in
        [unnamed("").with_buffer_count(5), unnamed("").with_slot_bytes(8192), unnamed("").with_max_readers(9)]
    {
        let error = Writer::from_fd(&region, other).expect_err("another size");
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("4 buffers of 65536 bytes for 8 readers"), "{error}");
    }
    // In its own words, in other words, and in none.
    for like in [unnamed(""), SharedMemoryConfig::new("").with_size_bytes(256 << 10), "heirs".into()] {
        let heir = Writer::from_fd(&region, like).expect("taken over");
        assert_eq!(heir.slot_bytes(), 64 << 10);
    }
    let info = inspect::info_of(&region).expect("a region");
    assert_eq!((info.name.as_str(), info.state, info.generation), ("feed", RingState::Closed, 4));
    let late = Reader::from_fd(&region, "late").expect("a ring that has ended can be read");
    assert_eq!(late.name(), "late");
    check(SEED, &late.read_frame(PROMPT).expect("no error").expect("a frame")).expect("whole");
    assert_eq!(kind(late.read_frame(PROMPT)), Some(ErrorKind::EndOfStream));
    // Read to the end and left by all, it may begin anew: there is no name to be lost.
    drop(late);
    let heir = Writer::from_fd(&region, "").expect("taken over");
    assert_eq!(heir.write_arrow(&table(SEED, 1)).expect("written"), 1);
    assert_eq!(inspect::info_of(&region).expect("a region").state, RingState::Live);
}

#[test]
fn two_rings_of_one_name_have_nothing_to_do_with_each_other() {
    let (one, other) =
        (Writer::new(unnamed("twin")).expect("one"), Writer::new(unnamed("twin")).expect("another"));
    one.write_arrow(&table(SEED, 0)).expect("written");
    let reader = Reader::from_fd(other.share().expect("shared"), "").expect("attached");
    assert!(reader.try_read_frame().expect("no error").is_none());
    let id = |writer: &Writer| inspect::info_of(writer.share().expect("shared")).expect("a region").region_id;
    assert_ne!(id(&one), id(&other));
}

#[test]
fn a_stream_goes_through_a_ring_without_a_name() {
    let writer = Writer::new(unnamed("stream").with_stream(Some(20))).expect("created");
    let region = writer.share().expect("shared");
    let rows = table(SEED, 0).num_rows() as u64;
    let writer = SharedDataStream::from_writer(writer);
    writer.write_chunk(&table(SEED, 0)).expect("written");
    let reader =
        SharedDataStream::from_reader(Reader::from_fd(&region, "").expect("attached")).expect("a stream");
    assert_eq!(reader.progress().expect("open").total_rows, Some(20));
    assert_eq!(reader.read_chunk(PROMPT).expect("no error").map(|chunk| chunk.num_rows() as u64), Some(rows));
    drop(writer);
    assert_eq!(kind(reader.read_chunk(PROMPT)), Some(ErrorKind::Aborted));
}

#[test]
fn a_region_of_another_user_is_refused_unless_that_one_is_trusted() {
    if !nix::unistd::geteuid().is_root() {
        skip("only root can give a file away");
        return;
    }
    let writer = Writer::new(unnamed("theirs").with_owner(OTHER)).expect("created");
    let region = writer.share().expect("shared");
    assert_eq!(kind(Reader::from_fd(&region, "")), Some(ErrorKind::PermissionDenied));
    let trusting = SharedMemoryConfig::new("").with_trusted_owner(OTHER);
    Reader::from_fd(&region, trusting).expect("trusted");
}

#[test]
fn permission_bits_mean_what_they_mean_for_a_file() {
    if !nix::unistd::geteuid().is_root() {
        skip("only root can play two users");
        return;
    }
    for (mode, admitted) in [(0o600, false), (0o640, false), (0o666, true), (0o777, true)] {
        let scene = Scene::unnamed();
        let ring = scene.ring("feed").mode(mode);
        let writer = ring.writer().expect("created");
        writer.write_arrow(&table(SEED, 0)).expect("written");
        assert_eq!(scene.info("feed").expect("there").mode, mode & 0o666, "{mode:o}");
        let visitor = match Actor::start_as(OTHER, &Role::Visit { ring, seed: SEED }) {
            Ok(visitor) => visitor,
            Err(error) => {
                skip(&format!("user {OTHER} cannot start the actors' program: {error}"));
                return;
            }
        };
        match visitor.line() {
            Line::Open { .. } if admitted => {}
            Line::Refused { kind, .. } if !admitted => assert_eq!(kind, "PermissionDenied"),
            line => panic!("{mode:o}: {line:?}"),
        }
        visitor.finish();
    }
}

#[test]
fn without_proc_a_descriptor_is_refused_with_a_word_on_why() {
    let scene = Scene::unnamed();
    let ring = scene.ring("feed").policy(Owed::Lossy);
    let _writer = ring.writer().expect("created");
    let visitor = Actor::start_without_proc(&Role::Visit { ring, seed: SEED }).expect("unshare is there");
    match visitor.line_within(qadataswap_tests::PATIENCE) {
        Some(Line::Refused { kind, message }) => {
            assert_eq!(kind, "Unsupported", "{message}");
            assert!(message.contains("mount /proc"), "{message}");
            visitor.finish();
        }
        None => skip("this kernel lets nobody mount over /proc"),
        line => panic!("{line:?}"),
    }
}

#[test]
fn a_ring_without_a_name_is_observed_by_a_descriptor_that_may_only_read() {
    let name = unique("observed");
    let writer = Writer::new(unnamed(&name)).expect("created");
    let path = format!("/proc/self/fd/{}", writer.region_fd().expect("it has one"));
    let only_reads = File::open(path).expect("opened anew");
    let config = SharedMemoryConfig::new("").with_policy(ReaderPolicy::Observer);
    let observer = Reader::from_fd(&only_reads, config).expect("observing");
    for sequence in 0..3 {
        assert_eq!(writer.write_arrow(&table(SEED, sequence)).expect("written"), sequence);
        let frame = observer.read_frame(PROMPT).expect("no error").expect("a frame");
        assert_eq!((frame.sequence(), frame.missed()), (sequence, 0));
        check(SEED, &frame).expect("whole");
    }
    assert_eq!((observer.name(), writer.reader_count()), (name, 0), "it takes no place");
    drop(writer);
    assert_eq!(kind(observer.read_frame(PROMPT)), Some(ErrorKind::EndOfStream));
}
