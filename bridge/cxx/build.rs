//! Makes the C++ side of the bridge: the header and source that cpp/src includes and links.

fn main() {
    // C++17 is what the headers promise; the warnings of generated code are nobody's to mend.
    cxx_build::bridge("src/lib.rs")
        .std("c++17")
        .include("../../cpp/include")
        .warnings(false)
        .compile("qadataswap_cxxbridge");
    println!("cargo:rerun-if-changed=src/lib.rs");
    println!("cargo:rerun-if-changed=../../cpp/include/qadataswap/arrow_c.h");
}
