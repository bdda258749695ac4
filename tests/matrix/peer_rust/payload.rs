//! How payloads are written in a line: `-` for none, else parts joined by commas, each a run of hex digits, or one
//! repeated (`61x1000`). A long one is told by its length and CRC-32 instead.

/// The longest payload that is told in full, in bytes.
const LONGEST_TOLD: usize = 64;

pub fn read(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    if text == "-" {
        return Ok(bytes);
    }
    for part in text.split(',') {
        let (hex, times) = part.split_once('x').unwrap_or((part, "1"));
        let times: usize = times.parse().map_err(|_| format!("no number of times: {part}"))?;
        bytes.extend(read_hex(hex)?.repeat(times));
    }
    Ok(bytes)
}

fn read_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()),
        _ => Err(format!("no hex digits: {text}")),
    }
}

pub fn tell(bytes: &[u8]) -> String {
    match bytes.len() {
        0 => "-".to_owned(),
        1..=LONGEST_TOLD => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        length => format!("{length}:{:08x}", crc32(bytes)),
    }
}

/// As zlib's.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
