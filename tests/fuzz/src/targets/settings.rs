//! Settings from outside the program: a YAML document, or variables of the environment, one `NAME=value` a line.

use super::Input;
use qadataswap::{Settings, SharedMemoryConfig};

pub(super) fn run(input: &[u8]) {
    let mut input = Input(input);
    let from_variables = input.byte() & 1 == 1;
    let text = String::from_utf8_lossy(input.rest());
    let settings = if from_variables { variables(&text) } else { Settings::from_yaml(&text, "input").ok() };
    let Some(settings) = settings else { return };
    settings.iter().for_each(|setting| assert!(!setting.key.is_empty() && !setting.source.is_empty()));
    // What the settings say is held against limits only when somebody opens a ring.
    SharedMemoryConfig::new("settings")
        .with_settings(settings)
        .resolved()
        .expect("settings that were understood");
}

/// The settings of an environment that has these variables too.
fn variables(text: &str) -> Option<Settings> {
    let set: Vec<(String, &str)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, value)| !name.contains('\0') && !value.contains('\0'))
        .map(|(name, value)| (format!("QADATASWAP_{name}"), value))
        .collect();
    for (name, value) in &set {
        // SAFETY: a fuzzer's process has one thread that looks at the environment: this one.
        unsafe { std::env::set_var(name, value) }
    }
    let settings = Settings::from_environment();
    for (name, _) in &set {
        // SAFETY: as above.
        unsafe { std::env::remove_var(name) }
    }
    settings.ok()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let yaml = [
        "memory:\n  size_mb: 1024\n  num_buffers: 3\n  max_readers: 64\n  prefault: true\n  directory: \"/dev/shm\"\n",
        "sync:\n  timeout_ms: 5000 # half\n  retry_count: 3\n  when_full: block\n  attach_timeout_ms: -1\n",
        "compression: {enabled: true, algorithm: 'lz4', level: 3}\n",
        "memory: {size_mb: 1.5e3}\nsync: ~\n---\n",
        "? [a, b]\n: !!str &x |\n  text\n- *x\n",
    ];
    let variables = [
        "MEMORY_SIZE_MB=1024\nMEMORY_NUM_BUFFERS=3\nSYNC_TIMEOUT_MS=-1\n",
        "COMPRESSION_ENABLED=true\nCOMPRESSION_ALGORITHM=zstd\nCOMPRESSION_LEVEL=3\nMEMORY_PREFAULT=no\n",
    ];
    let seed = |kind: u8| move |text: &&str| [&[kind][..], text.as_bytes()].concat();
    yaml.iter().map(seed(0)).chain(variables.iter().map(seed(1))).collect()
}
