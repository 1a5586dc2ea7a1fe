//! What a ring is told: by code, by a file, by the environment; and what comes of telling it nonsense.

use arrow_array::{Int64Array, RecordBatch};
use qadataswap::{
    ErrorKind, QADataSwapError, Reader, ReaderPolicy, SettingValue, Settings, SharedMemoryConfig, Timeout,
    WhenFull, Writer,
};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A folder for a ring or a file, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = PathBuf::from(format!("/dev/shm/qads-settings-{test}-{}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder of one's own");
        Folder(path)
    }

    fn ring(&self) -> SharedMemoryConfig {
        config().with_directory(&self.0).with_size_mb(1)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A configuration that no file and no variable changes.
fn config() -> SharedMemoryConfig {
    SharedMemoryConfig::new("told").with_settings(Settings::default())
}

fn table() -> RecordBatch {
    RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![1, 2, 3])) as _)]).expect("one column")
}

#[test]
fn what_was_said_is_what_is_asked_for() {
    let config = config().with_retry_count(2).with_attach_timeout(Duration::from_secs(3));
    assert_eq!((config.retry_count(), config.attach_timeout()), (2, Duration::from_secs(3)));
    assert_eq!(config.when_full(), WhenFull::Block(Some(Duration::from_secs(5))), "unless given");
    assert_eq!(config.with_when_full(WhenFull::Overwrite).when_full(), WhenFull::Overwrite);
}

#[test]
fn a_ring_that_blocks_blocks_for_its_write_timeout() {
    let second = Some(Duration::from_secs(1));
    let blocks = |config: SharedMemoryConfig| config.resolved().unwrap().when_full();
    assert_eq!(blocks(config().with_write_timeout(second).with_blocking()), WhenFull::Block(second));
    assert_eq!(blocks(config().with_blocking().with_write_timeout(second)), WhenFull::Block(second));
    assert_eq!(blocks(config().with_blocking().with_write_timeout(None)), WhenFull::Block(None));
    let settings = Settings::from_yaml("sync: { when_full: fail, timeout_ms: 7 }", "given").unwrap();
    let said = SharedMemoryConfig::new("told").with_blocking().with_settings(settings);
    assert_eq!(
        blocks(said),
        WhenFull::Block(Some(Duration::from_millis(7))),
        "the file says only for how long"
    );
}

#[test]
fn a_name_by_itself_is_a_configuration() {
    let name = "told".to_owned();
    let by_reference = SharedMemoryConfig::from(&name);
    assert_eq!(by_reference, SharedMemoryConfig::new("told"));
    assert_eq!(SharedMemoryConfig::from(name), by_reference);
    assert_eq!(SharedMemoryConfig::from("told"), by_reference);
    assert_eq!(SharedMemoryConfig::from(&by_reference), by_reference);
    assert_eq!(SharedMemoryConfig::from(("told", 4096)), by_reference.with_size_bytes(4096));
}

#[test]
fn a_mode_that_is_no_permissions_makes_no_ring() {
    let folder = Folder::new("mode");
    let error = Writer::new(folder.ring().with_mode(660)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("mode 660 (octal 1224)"), "{error}");
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
    Writer::new(folder.ring().with_mode(0o660)).expect("as it was meant");
}

#[test]
fn a_ring_of_an_impossible_size_is_refused() {
    let folder = Folder::new("size");
    for (config, needle) in [
        (folder.ring().with_slot_bytes(u64::MAX), "too large"),
        (folder.ring().with_buffer_count(0), "0"),
        (folder.ring().with_buffer_count(usize::MAX), "65536"),
        (folder.ring().with_max_readers(0), "0"),
        (folder.ring().with_max_readers(usize::MAX), "1024"),
    ] {
        let error = Writer::new(config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains(needle), "{error}");
    }
}

#[test]
fn a_ring_is_made_only_in_a_folder() {
    let folder = Folder::new("place");
    let missing = Writer::new(folder.ring().with_directory(folder.0.join("none"))).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::InvalidConfig);
    assert!(missing.to_string().ends_with("does not exist; make it first"), "{missing}");
    let file = folder.0.join("file");
    std::fs::write(&file, "in the way").unwrap();
    let error = Writer::new(folder.ring().with_directory(&file)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "in the way");
}

#[test]
fn what_has_the_rings_name_and_is_none_is_refused() {
    let folder = Folder::new("impostor");
    let path = folder.0.join("qads_told");
    std::fs::write(&path, [7; 8192]).unwrap();
    assert_eq!(Reader::new(folder.ring()).unwrap_err().kind(), ErrorKind::Incompatible);
    assert_eq!(Writer::new(folder.ring()).unwrap_err().kind(), ErrorKind::Incompatible);
    assert_eq!(std::fs::read(&path).unwrap(), [7; 8192], "it is somebody's");
}

#[test]
fn a_write_that_is_to_be_tried_again_waits_so_many_times() {
    let folder = Folder::new("retries");
    let each = Duration::from_millis(5);
    let ring = folder.ring().with_when_full(WhenFull::Block(Some(each))).with_retry_count(2);
    let (writer, _reader) = (Writer::new(&ring).unwrap(), Reader::new(&ring).unwrap());
    for _ in 0..3 {
        writer.write_arrow(&table()).unwrap();
    }
    let begun = Instant::now();
    let error = writer.write_arrow(&table()).unwrap_err();
    assert!(begun.elapsed() >= 3 * each);
    let QADataSwapError::WriteTimeout { waited, .. } = error else { panic!("{error}") };
    assert!(waited >= 3 * each, "{waited:?}");
}

#[test]
fn frames_that_nobody_has_read_are_kept_if_so_told() {
    let folder = Folder::new("unread");
    for (name, keep) in [("kept", true), ("gone", false)] {
        let ring = SharedMemoryConfig::new(name).with_settings(Settings::default());
        let ring = ring.with_directory(&folder.0).with_size_mb(1).with_when_full(WhenFull::Fail);
        let writer = Writer::new(ring.with_keep_unread(keep)).unwrap();
        let written = (0..4).map(|_| writer.try_write_arrow(&table()).unwrap()).collect::<Vec<_>>();
        let fourth = (!keep).then_some(3);
        assert_eq!(written, [Some(0), Some(1), Some(2), fourth], "{name}");
    }
}

#[test]
fn a_timeout_comes_from_milliseconds_or_durations() {
    assert_eq!(Timeout::from(1500), Timeout::from(Duration::from_millis(1500)));
    assert_eq!(Timeout::from(Some(Duration::ZERO)), Timeout::from(0));
    assert_eq!(Timeout::from(None), Timeout::FOREVER);
}

#[test]
fn settings_are_shown_in_their_units_with_where_they_stand() {
    let text = "memory: { prefault: true, directory: /tmp }\ncompression: { level: 19 }";
    let settings = Settings::from_yaml(text, "a file").unwrap();
    assert_eq!(settings.directory(), Some(Path::new("/tmp")));
    assert_eq!(Settings::default().directory(), None);
    let shown: Vec<_> =
        settings.iter().map(|setting| (setting.key, setting.value.to_string(), setting.source)).collect();
    let expected = [
        ("memory.prefault", "true", "a file:1"),
        ("memory.directory", "/tmp", "a file:1"),
        ("compression.level", "19", "a file:2"),
    ];
    assert_eq!(shown, expected.map(|(key, value, at)| (key.to_owned(), value.to_owned(), at.to_owned())));
    let values: Vec<_> = settings.iter().map(|setting| setting.value).collect();
    assert_eq!(values[1..], [SettingValue::Text("/tmp".to_owned()), SettingValue::Number(19.0)]);
}

#[test]
fn a_value_of_another_type_is_shown_as_it_was_given() {
    for (text, what) in [
        ("memory: { num_buffers: true }", "expected a whole number from 1 to 65536, got true"),
        ("memory: { num_buffers: 1.5 }", "expected a whole number from 1 to 65536, got 1.5"),
        ("memory: { prefault: 'yes' }", "expected true or false, got 'yes'"),
        ("sync: { when_full: 1 }", "expected block, overwrite or fail, got 1"),
    ] {
        let error = Settings::from_yaml(text, "a file").unwrap_err().to_string();
        assert!(error.starts_with("a file:1: ") && error.ends_with(what), "{error}");
    }
}

#[test]
fn a_text_too_long_for_settings_is_not_parsed() {
    let error = Settings::from_yaml(&"#".repeat((1 << 20) + 1), "long").unwrap_err().to_string();
    assert_eq!(error, "long: expected at most 1048576 bytes, got 1048577");
    assert_eq!(Settings::from_yaml(&"#".repeat(1 << 20), "long"), Ok(Settings::default()));
}

#[test]
fn settings_that_are_wrong_make_no_ring_and_say_of_which() {
    let folder = Folder::new("wrong");
    let file = folder.0.join("settings.yaml");
    let told = || Writer::new(SharedMemoryConfig::new("told").with_config_file(&file)).unwrap_err();
    let error = told();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().starts_with("ring 'told': ") && error.to_string().contains("cannot be read"));
    std::fs::write(&file, "memory: { size_mb: lots }").unwrap();
    let error = told();
    assert!(
        error.to_string().contains("settings.yaml:1: memory.size_mb: expected a number of MiB"),
        "{error}"
    );
    // Looked at for no ring in particular.
    let error = QADataSwapError::from(Settings::from_file(&file).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().starts_with("ring '*': "), "{error}");
}

#[test]
fn a_file_that_is_named_prefaults_where_the_code_says_nothing() {
    let folder = Folder::new("prefault");
    let file = folder.0.join("settings.yaml");
    std::fs::write(&file, "memory: { prefault: true }").unwrap();
    let ring =
        SharedMemoryConfig::new("told").with_config_file(&file).with_directory(&folder.0).with_size_mb(1);
    let resident = |ring: &SharedMemoryConfig| {
        let _writer = Writer::new(ring).unwrap();
        qadataswap::inspect::info("told", &folder.0).unwrap().resident_bytes
    };
    let (full, lazy) = (resident(&ring), resident(&ring.clone().with_prefault(false)));
    assert!(full >= 1 << 20 && lazy < 1 << 20, "{full} and {lazy} bytes");
}

/// Bytes of the slots of a ring's file that this process has in its tables, in each of its mappings of them.
fn mapped(file: &Path) -> Vec<u64> {
    let inode = std::fs::metadata(file).expect("the ring's file").ino().to_string();
    let maps = std::fs::read_to_string("/proc/self/smaps").expect("what is mapped");
    let mut lines = maps.lines();
    let mut mapped = Vec::new();
    while let Some(line) = lines.next() {
        let [_, _, offset, _, found, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else { continue };
        // The control part is the file's beginning.
        if found == inode && offset.contains(|digit| digit != '0') {
            let resident = lines.find(|line| line.starts_with("Rss:"));
            let resident = resident.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            mapped.push(resident.expect("a size in KiB behind each mapping") << 10);
        }
    }
    mapped
}

#[test]
fn both_ends_of_a_prefaulted_ring_have_all_its_pages_if_they_ask_for_them() {
    let folder = Folder::new("at-hand");
    let config = SharedMemoryConfig::new("at-hand").with_directory(&folder.0);
    let config = config.with_slot_bytes(1 << 20).with_buffer_count(2);
    let (whole, mapped) = (2 << 20, || mapped(&folder.0.join("qads_at-hand")));
    let writer = Writer::new(config.clone().with_prefault(true)).unwrap();
    assert_eq!(mapped(), [whole]);
    for policy in [ReaderPolicy::Lossless, ReaderPolicy::Observer] {
        let _reader = Reader::new(config.clone().with_prefault(true).with_policy(policy)).unwrap();
        assert_eq!(mapped(), [whole, whole]);
    }
    let _lazy = Reader::new(&config).unwrap();
    let mut all = mapped();
    all.sort_unstable();
    assert_eq!(all, [0, whole]);
    drop(writer);
}

#[test]
fn looking_at_a_ring_that_was_not_prefaulted_takes_no_memory() {
    let folder = Folder::new("not-at-hand");
    let config = SharedMemoryConfig::new("not-at-hand").with_directory(&folder.0);
    let config = config.with_slot_bytes(1 << 20).with_buffer_count(2);
    let _writer = Writer::new(&config).unwrap();
    let _reader = Reader::new(config.clone().with_prefault(true)).unwrap();
    assert_eq!(mapped(&folder.0.join("qads_not-at-hand")), [0, 0]);
}

/// Says what a process finds that was started with other variables; only there.
#[test]
#[allow(clippy::print_stdout, reason = "the other process answers by it")]
fn the_variable_names_the_file_or_none() {
    const RESULT: &str = "QADATASWAP_FOUND";
    if std::env::var_os(RESULT).is_some() {
        match Settings::discover() {
            Ok(found) => found.iter().for_each(|setting| println!("found {}={}", setting.key, setting.value)),
            Err(error) => println!("found {error}"),
        }
        return;
    }
    let folder = Folder::new("variable");
    let file = folder.0.join("other.yaml");
    std::fs::write(&file, "memory: { num_buffers: 8, max_readers: 9 }").unwrap();
    std::fs::write(folder.0.join("qadataswap.yaml"), "memory: { num_buffers: 7 }").unwrap();
    let found = |variables: &[(&str, &std::ffi::OsStr)]| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_variable_names_the_file_or_none", "--nocapture"])
            .current_dir(&folder.0)
            .env_remove("QADATASWAP_CONFIG")
            .env(RESULT, "")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        // The harness may have begun the line.
        text.lines().filter_map(|line| Some(line.split_once("found ")?.1.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(found(&[]), ["memory.num_buffers=7"], "the file of the folder");
    let named = ("QADATASWAP_CONFIG", file.as_os_str());
    assert_eq!(found(&[named]), ["memory.num_buffers=8", "memory.max_readers=9"]);
    let variable = ("QADATASWAP_MEMORY_NUM_BUFFERS", "5".as_ref());
    assert_eq!(found(&[named, variable]), ["memory.num_buffers=5", "memory.max_readers=9"]);
    let none = ("QADATASWAP_CONFIG", "".as_ref());
    assert!(found(&[none]).is_empty());
    let errors = found(&[("QADATASWAP_CONFIG", "/nowhere/at/all.yaml".as_ref())]);
    assert!(errors.len() == 1 && errors[0].contains("cannot be read"), "{errors:?}");
}

#[test]
fn kinds_of_errors_keep_their_numbers_and_names() {
    let kinds: Vec<ErrorKind> =
        (1..=28).map(|code| ErrorKind::from_code(code).expect("there is one")).collect();
    assert!(kinds.iter().zip(1..).all(|(kind, code)| kind.code() == code));
    assert!(kinds.iter().all(|kind| kind.name() == format!("{kind:?}")));
    assert_eq!((ErrorKind::InvalidName.code(), ErrorKind::Aborted.code()), (1, 28));
    assert_eq!((ErrorKind::from_code(0), ErrorKind::from_code(29)), (None, None));
}
