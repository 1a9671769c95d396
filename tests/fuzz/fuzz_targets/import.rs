//! See `patrol_tests::fuzzing::imports`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    patrol_tests::fuzzing::imports(data);
});
