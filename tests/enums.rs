//! The enums of 0.2.2: their numbers, names and defaults are part of files, C and JSON.

use lsmlite_rs::{LsmCompressionLib, LsmCursorSeekOp, LsmErrorCode, LsmHandleMode, LsmMode};

const ERRORS: [(LsmErrorCode, i32, &str); 17] = [
    (LsmErrorCode::LsmError, 1, "LsmError"),
    (LsmErrorCode::LsmBusy, 5, "LsmBusy"),
    (LsmErrorCode::LsmNoMem, 7, "LsmNoMem"),
    (LsmErrorCode::LsmReadOnly, 8, "LsmReadOnly"),
    (LsmErrorCode::LsmIOErr, 10, "LsmIOErr"),
    (LsmErrorCode::LsmCorrupt, 11, "LsmCorrupt"),
    (LsmErrorCode::LsmFull, 13, "LsmFull"),
    (LsmErrorCode::LsmCantOpen, 14, "LsmCantOpen"),
    (LsmErrorCode::LsmProtocol, 15, "LsmProtocol"),
    (LsmErrorCode::LsmMisuse, 21, "LsmMisuse"),
    (LsmErrorCode::LsmMismatch, 50, "LsmMismatch"),
    (LsmErrorCode::LsmConversionErr, 55, "LsmConversionErr"),
    (LsmErrorCode::LsmMetricCreation, 56, "LsmMetricCreation"),
    (
        LsmErrorCode::LsmMetricRegistration,
        57,
        "LsmMetricRegistration",
    ),
    (LsmErrorCode::LsmMetricsEmpty, 58, "LsmMetricsEmpty"),
    (
        LsmErrorCode::LsmBgThreadUnavailable,
        59,
        "LsmBgThreadUnavailable",
    ),
    (LsmErrorCode::LsmUnknownCode, 60, "LsmUnknownCode"),
];

#[test]
fn error_codes_have_their_numbers_and_names() {
    for (code, number, name) in ERRORS {
        assert_eq!(code as i32, number);
        assert_eq!(code.to_string(), name);
        assert_eq!(format!("{code:?}"), name);
    }
}

#[test]
fn error_codes_are_read_from_exactly_their_numbers() {
    let known = |n: i32| ERRORS.iter().find(|(_, number, _)| *number == n);
    for n in -1000..20_000 {
        let expected = match (n, known(n)) {
            // No such file: an I/O error with an extended part.
            (266, _) => Ok(LsmErrorCode::LsmIOErr),
            // The code of codes that aren't known isn't one of them.
            (60, _) | (_, None) => Err(LsmErrorCode::LsmUnknownCode),
            (_, Some((code, _, _))) => Ok(*code),
        };
        assert_eq!(LsmErrorCode::try_from(n), expected, "{n}");
    }
}

#[test]
fn modes_are_read_from_exactly_their_numbers() {
    let all = [
        LsmMode::LsmNoBackgroundThreads,
        LsmMode::LsmBackgroundMerger,
        LsmMode::LsmBackgroundCheckpointer,
    ];
    for n in -100..100 {
        let expected = usize::try_from(n).ok().and_then(|i| all.get(i)).copied();
        assert_eq!(
            LsmMode::try_from(n),
            expected.ok_or(LsmErrorCode::LsmUnknownCode)
        );
        assert_eq!(LsmMode::try_from(n).map_or(n, |mode| mode as i32), n);
    }
    assert_eq!(LsmMode::default(), LsmMode::LsmNoBackgroundThreads);
}

#[test]
fn handle_modes_have_their_numbers() {
    assert_eq!(LsmHandleMode::ReadOnly as i32, 0);
    assert_eq!(LsmHandleMode::ReadWrite as i32, 1);
    assert_eq!(LsmHandleMode::default(), LsmHandleMode::ReadWrite);
}

#[test]
fn seek_modes_are_read_from_exactly_their_numbers() {
    for n in -100..100 {
        let expected = match n {
            -1 => Ok(LsmCursorSeekOp::LsmCursorSeekLe),
            0 => Ok(LsmCursorSeekOp::LsmCursorSeekEq),
            1 => Ok(LsmCursorSeekOp::LsmCursorSeekGe),
            _ => Err(LsmErrorCode::LsmUnknownCode),
        };
        assert_eq!(LsmCursorSeekOp::try_from(n), expected);
        assert_eq!(expected.map_or(n, |op| op as i32), n);
    }
}

#[test]
fn codecs_are_read_from_exactly_their_numbers() {
    for n in -100..11_000 {
        let expected = match n {
            1 => Ok(LsmCompressionLib::NoCompression),
            10_001 => Ok(LsmCompressionLib::LZ4),
            10_002 => Ok(LsmCompressionLib::ZLib),
            10_003 => Ok(LsmCompressionLib::ZStd),
            _ => Err(LsmErrorCode::LsmMismatch),
        };
        assert_eq!(LsmCompressionLib::try_from(n), expected);
        assert_eq!(expected.map_or(n, |library| library as i32), n);
    }
    assert_eq!(
        LsmCompressionLib::default(),
        LsmCompressionLib::NoCompression
    );
}

#[cfg(feature = "serde")]
#[test]
fn modes_are_serialised_by_name_as_before() -> Result<(), serde_json::Error> {
    for (mode, json) in [
        (
            LsmMode::LsmNoBackgroundThreads,
            r#""LsmNoBackgroundThreads""#,
        ),
        (LsmMode::LsmBackgroundMerger, r#""LsmBackgroundMerger""#),
        (
            LsmMode::LsmBackgroundCheckpointer,
            r#""LsmBackgroundCheckpointer""#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&mode)?, json);
        assert_eq!(serde_json::from_str::<LsmMode>(json)?, mode);
    }
    assert!(serde_json::from_str::<LsmMode>(r#""LsmMerger""#).is_err());
    assert!(serde_json::from_str::<LsmMode>("1").is_err());
    Ok(())
}
