use super::*;

fn variables(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_variables(pairs.iter().map(|(name, value)| (name.into(), value.into())))
}

fn resolved(config: SharedMemoryConfig) -> SharedMemoryConfig {
    config.resolved().expect("settings that were given are understood")
}

#[test]
fn variables_are_the_keys_in_capitals() {
    let settings =
        variables(&[("QADATASWAP_MEMORY_SIZE_MB", "0.5"), ("QADATASWAP_SYNC_WHEN_FULL", "Overwrite")])
            .expect("both are understood");
    let config = resolved(SharedMemoryConfig::new("r").with_settings(settings.clone()));
    assert_eq!(config.size, Size::Total(1 << 19));
    assert_eq!(config.when_full, WhenFull::Overwrite);
    let sources: Vec<String> = settings.iter().map(|setting| setting.source).collect();
    assert_eq!(
        sources,
        ["environment variable QADATASWAP_MEMORY_SIZE_MB", "environment variable QADATASWAP_SYNC_WHEN_FULL"]
    );
}

#[test]
fn variables_of_other_sections_are_left_alone() {
    let settings = variables(&[("QADATASWAP_DEBUG", "1"), ("QADATASWAP_CONFIG", "x"), ("HOME", "/")]);
    assert_eq!(settings, Ok(Settings::default()));
}

#[test]
fn a_variable_that_names_no_key_is_an_error() {
    let error = variables(&[("QADATASWAP_MEMORY_SIZE", "1")]).expect_err("no such key");
    assert_eq!(
        error.to_string(),
        "environment variable QADATASWAP_MEMORY_SIZE: unknown key 'memory.size'; did you mean 'memory.size_mb'?"
    );
}

#[test]
fn a_variable_that_is_no_text_is_an_error() {
    use std::os::unix::ffi::OsStringExt;
    let value = OsString::from_vec(vec![b'/', 0xFF]);
    let error = Settings::from_variables([("QADATASWAP_MEMORY_DIRECTORY".into(), value)].into_iter());
    assert_eq!(
        error.expect_err("no text").to_string(),
        "environment variable QADATASWAP_MEMORY_DIRECTORY: is not UTF-8"
    );
}

#[test]
fn code_goes_before_environment_before_file_before_defaults() {
    let environment =
        variables(&[("QADATASWAP_MEMORY_NUM_BUFFERS", "5"), ("QADATASWAP_MEMORY_MAX_READERS", "6")]);
    let file = variables(&[
        ("QADATASWAP_MEMORY_NUM_BUFFERS", "7"),
        ("QADATASWAP_MEMORY_MAX_READERS", "7"),
        ("QADATASWAP_SYNC_RETRY_COUNT", "7"),
    ]);
    let settings = environment.expect("understood").or(file.expect("understood"));
    let config = resolved(SharedMemoryConfig::new("r").with_buffer_count(4).with_settings(settings));
    assert_eq!((config.buffer_count, config.max_readers, config.retry_count), (4, 6, 7));
    assert_eq!(config.attach_timeout, Duration::ZERO, "the default");
}

#[test]
fn code_that_says_the_default_has_said_it() {
    let settings = variables(&[
        ("QADATASWAP_MEMORY_NUM_BUFFERS", "7"),
        ("QADATASWAP_SYNC_WHEN_FULL", "fail"),
        ("QADATASWAP_SYNC_TIMEOUT_MS", "1"),
        ("QADATASWAP_COMPRESSION_ENABLED", "true"),
    ]);
    let plain = SharedMemoryConfig::new("r");
    let config = plain
        .clone()
        .with_buffer_count(3)
        .with_when_full(WhenFull::default())
        .with_compression(Compression::None)
        .with_settings(settings.expect("understood"));
    let config = resolved(config);
    assert_eq!((config.buffer_count, config.when_full), (3, WhenFull::default()));
    assert_eq!(config.compression, Compression::None);
}

#[test]
fn the_timeout_is_of_a_ring_that_blocks() {
    let timeout = ("QADATASWAP_SYNC_TIMEOUT_MS", "-1");
    let blocks = variables(&[timeout]).expect("understood");
    let config = resolved(SharedMemoryConfig::new("r").with_settings(blocks));
    assert_eq!(config.when_full, WhenFull::Block(None));
    let fails = variables(&[timeout, ("QADATASWAP_SYNC_WHEN_FULL", "fail")]).expect("understood");
    let config = resolved(SharedMemoryConfig::new("r").with_settings(fails));
    assert_eq!(config.when_full, WhenFull::Fail);
}

#[test]
fn compression_is_on_if_enabled_or_named() {
    let compression = |pairs: &[(&str, &str)]| {
        let settings = variables(pairs).expect("understood");
        resolved(SharedMemoryConfig::new("r").with_settings(settings)).compression
    };
    const ENABLED: &str = "QADATASWAP_COMPRESSION_ENABLED";
    const ALGORITHM: &str = "QADATASWAP_COMPRESSION_ALGORITHM";
    const LEVEL: &str = "QADATASWAP_COMPRESSION_LEVEL";
    assert_eq!(compression(&[]), Compression::None);
    assert_eq!(compression(&[(ENABLED, "true")]), Compression::Lz4);
    assert_eq!(compression(&[(ALGORITHM, "LZ4")]), Compression::Lz4);
    assert_eq!(compression(&[(ENABLED, "false"), (ALGORITHM, "lz4")]), Compression::None);
    assert_eq!(compression(&[(ENABLED, "true"), (ALGORITHM, "none")]), Compression::None);
    assert_eq!(compression(&[(ALGORITHM, "zstd")]), Compression::Zstd { level: 3 });
    assert_eq!(compression(&[(ALGORITHM, "zstd"), (LEVEL, "19")]), Compression::Zstd { level: 19 });
}

#[test]
fn a_value_out_of_range_says_what_is_expected() {
    for (variable, value, expected) in [
        ("MEMORY_NUM_BUFFERS", "0", "memory.num_buffers: expected a whole number from 1 to 65536, got 0"),
        ("MEMORY_NUM_BUFFERS", "65537", "from 1 to 65536, got 65537"),
        ("MEMORY_NUM_BUFFERS", "3.5", "got 3.5"),
        ("MEMORY_MAX_READERS", "1025", "from 1 to 1024"),
        ("MEMORY_SIZE_MB", "-1", "a number of MiB above 0"),
        ("MEMORY_SIZE_MB", "inf", "got inf"),
        ("MEMORY_SIZE_MB", "much", "got 'much'"),
        ("MEMORY_PREFAULT", "1", "expected true or false, got 1"),
        ("MEMORY_DIRECTORY", "", "expected a folder, got ''"),
        ("SYNC_TIMEOUT_MS", "-2", "or -1 for ever, got -2"),
        ("SYNC_RETRY_COUNT", "-1", "from 0 on"),
        ("SYNC_WHEN_FULL", "panic", "expected block, overwrite or fail, got 'panic'"),
        ("COMPRESSION_ALGORITHM", "snappy", "lz4, zstd or none"),
        ("COMPRESSION_LEVEL", "23", "from 1 to 22"),
    ] {
        let error = variables(&[(&format!("QADATASWAP_{variable}"), value)]).expect_err(variable).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[cfg(feature = "yaml")]
mod yaml {
    use super::*;

    const CLIENTS: &str = r#"# qadataswap.yaml
memory:
  size_mb: 1024
  num_buffers: 3

sync:
  timeout_ms: 5000
  retry_count: 3

compression:
  enabled: true
  algorithm: "lz4"
"#;

    #[test]
    fn the_documented_file_is_understood() {
        let settings = Settings::from_yaml(CLIENTS, "qadataswap.yaml").expect("understood");
        let config = resolved(SharedMemoryConfig::new("r").with_settings(settings.clone()));
        assert_eq!((config.size, config.buffer_count), (Size::Total(1 << 30), 3));
        assert_eq!(config.when_full, WhenFull::Block(Some(Duration::from_secs(5))));
        assert_eq!((config.retry_count, config.compression), (3, Compression::Lz4));
        let shown: Vec<String> =
            settings.iter().map(|s| format!("{} {} {}", s.key, s.value, s.source)).collect();
        assert_eq!(
            shown,
            [
                "memory.size_mb 1024 qadataswap.yaml:3",
                "memory.num_buffers 3 qadataswap.yaml:4",
                "sync.timeout_ms 5000 qadataswap.yaml:7",
                "sync.retry_count 3 qadataswap.yaml:8",
                "compression.enabled true qadataswap.yaml:11",
                "compression.algorithm lz4 qadataswap.yaml:12",
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_line() {
        for (text, error) in [
            ("memory:\n  size: 3", "f:2: unknown key 'memory.size'; did you mean 'memory.size_mb'?"),
            (
                "memory:\n  buffer_count: 3",
                "f:2: unknown key 'memory.buffer_count'; did you mean 'memory.num_buffers'?",
            ),
            (
                "memory:\n  timeout_ms: 3",
                "f:2: unknown key 'memory.timeout_ms'; did you mean 'sync.timeout_ms'?",
            ),
            ("\nmemroy:\n  size_mb: 3", "f:2: unknown section 'memroy'; did you mean 'memory'?"),
            ("size_mb: 3", "f:1: unknown section 'size_mb'; did you mean 'memory.size_mb'?"),
            ("zzz:\n  q: 3", "f:1: unknown section 'zzz'; expected one of memory, sync, compression"),
            ("memory:\n  zzzzzz: 3", "f:2: unknown key 'memory.zzzzzz'; expected one of memory.size_mb,"),
            ("memory: 3", "f:1: expected the keys of 'memory', as 'name: value'"),
            ("- memory", "f:1: expected sections, as 'name: value'"),
            ("memory:\n  size_mb: [1]", "f:2: memory.size_mb: expected one value"),
            ("memory:\n  size_mb:", "f:2: memory.size_mb: expected one value"),
            (
                "memory:\n  size_mb: '10'",
                "f:2: memory.size_mb: expected a number of MiB above 0, at most 67108864, got '10'",
            ),
            ("memory:\n  3: 3", "f:2: expected a name"),
            ("memory: {\n", "f:2: "),
            ("a: 1\n---\nb: 1", "f:3: expected one document, got several"),
            ("memory:\n  size_mb: 1\n  size_mb: 2", "f:3: "),
            ("memory: {}\nmemory: {}", "f:2: "),
        ] {
            let got = Settings::from_yaml(text, "f").expect_err(text).to_string();
            assert!(got.starts_with(error), "{text:?}: {got}");
        }
    }

    #[test]
    fn an_empty_file_says_nothing() {
        for text in ["", "# nothing\n", "---\n", "memory:\n", "memory: {}"] {
            assert_eq!(Settings::from_yaml(text, "f"), Ok(Settings::default()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_file_of_settings_is_refused_at_once() {
        let folder = std::env::temp_dir().join(format!("qadataswap-settings-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let pipe = folder.join("pipe.yaml");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        for path in [&*folder, &*pipe, Path::new("/dev/zero"), Path::new("/dev/null")] {
            for read in [Settings::from_file, Settings::from_file_if_any] {
                let error = read(path).expect_err("no regular file").to_string();
                assert!(error.ends_with("cannot be read: it is no regular file"), "{error}");
            }
        }
        let endless = folder.join("endless.yaml");
        let file = std::fs::File::create(&endless).expect("a file");
        file.set_len(1 << 40).expect("of a terabyte that is not there");
        let error = Settings::from_file(&endless).expect_err("too large").to_string();
        assert!(error.contains("more than 1048576 bytes"), "{error}");
        let latin = folder.join("latin.yaml");
        std::fs::write(&latin, b"memory: { directory: \"/\xE9\" }").expect("written");
        assert!(Settings::from_file(&latin).expect_err("no UTF-8").to_string().contains("UTF-8"));
        let gone = folder.join("gone.yaml");
        assert_eq!(Settings::from_file_if_any(&gone), Ok(Settings::default()));
        assert!(Settings::from_file(&gone).is_err());
        std::fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn odd_yaml_is_understood_or_an_error_that_says_where() {
        for (text, said) in [
            ("\u{feff}memory:\r\n  num_buffers: 8\r\n", "8"),
            ("memory: { num_buffers: !!int 8 }", "8"),
            ("memory: { num_buffers: &n 8 }\nsync: { retry_count: *n }", "8 8"),
            ("? memory\n: { ? num_buffers : 8 }", "8"),
            ("memory: { num_buffers: 0x8 }", "8"),
            ("%YAML 1.2\n---\nmemory: { num_buffers: 8 }\n...\n", "8"),
        ] {
            let settings = Settings::from_yaml(text, "f").unwrap_or_else(|error| panic!("{text:?}: {error}"));
            let values: Vec<_> = settings.iter().map(|setting| setting.value.to_string()).collect();
            assert_eq!(values.join(" "), said, "{text:?}");
        }
        for text in [
            "memory:\n\tnum_buffers: 8",
            "memory: { num_buffers: 8, num_buffers: 9 }",
            "memory: { num_buffers: 8 }\nmemory: { num_buffers: 9 }",
            "memory: { num_buffers: \"8\" }",
            "memory: { num_buffers: !!str 8 }",
            "memory: { num_buffers: !mine 8 }",
            "memory: &m { num_buffers: 8 }\nsync: { <<: *m }",
            "memory: { num_buffers: *nobody }",
            "memory: &m { num_buffers: *m }",
            "memory: !mine { num_buffers: 8 }",
            "memory: { num_buffers: 99999999999999999999 }",
            "memory: { size_mb: .inf }",
            "memory: { size_mb: .nan }",
            "sync: { timeout_ms: .inf }",
            "- memory",
            "memory",
            "1: { num_buffers: 8 }",
            "\u{0}",
        ] {
            let error = Settings::from_yaml(text, "f").expect_err(text).to_string();
            assert!(error.starts_with("f:"), "{text:?}: {error}");
        }
    }

    #[test]
    fn nothing_nests_so_deep_that_it_ends_the_program() {
        for nest in ["[", "- ", "? ", "{a: ", "&a [", "{? ", "- &a ", "!a [", "[{"] {
            let deep = nest.repeat((1 << 20) / nest.len());
            assert!(Settings::from_yaml(&deep, "f").is_err(), "{nest:?}");
        }
    }

    #[test]
    fn a_file_that_grows_without_end_is_refused() {
        let folds = ('b'..='z').map(|name| {
            let before = (name as u8 - 1) as char;
            format!("{name}: &{name} [{}]\n", format!("*{before},").repeat(9))
        });
        let bomb = format!("a: &a [x]\n{}", folds.collect::<String>());
        let error = Settings::from_yaml(&bomb, "f").expect_err("too much").to_string();
        assert!(error.contains("budget"), "{error}");
        let deep = "[".repeat(500_000);
        assert!(Settings::from_yaml(&deep, "f").is_err());
    }
}
