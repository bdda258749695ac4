// How payloads are written in a line: `-` for none, else parts joined by commas, each a run of hex digits, or one
// repeated (`61x1000`). A long one is told by its length and CRC-32 instead.
#ifndef PAYLOAD_HPP
#define PAYLOAD_HPP

#include <dividere/status.hpp>

#include <cstdint>
#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>

/// The longest payload that is told in full, in bytes.
constexpr std::size_t longest_told = 64;

inline unsigned long number_of(const std::string &word) {
    std::size_t end = 0;
    unsigned long value = 0;
    try {
        value = std::stoul(word, &end);
    } catch (const std::logic_error &) {
        end = 0;
    }
    if (end == 0 || end != word.size()) {
        throw dividere::Error(dividere::Status::InvalidArgument, "no number: " + word);
    }
    return value;
}

inline std::string read_payload(const std::string &written) {
    std::string bytes;
    std::istringstream parts(written == "-" ? "" : written);
    for (std::string part; std::getline(parts, part, ',');) {
        const std::size_t x = part.find('x');
        const std::string digits = part.substr(0, x);
        if (digits.size() % 2 != 0 || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
            throw dividere::Error(dividere::Status::InvalidArgument, "no hex digits: " + digits);
        }
        std::string once;
        for (std::size_t at = 0; at < digits.size(); at += 2) {
            once.push_back(static_cast<char>(std::stoi(digits.substr(at, 2), nullptr, 16)));
        }
        for (unsigned long times = x == std::string::npos ? 1 : number_of(part.substr(x + 1)); times > 0; --times) {
            bytes += once;
        }
    }
    return bytes;
}

/// As zlib's.
inline std::uint32_t crc32(std::string_view bytes) {
    std::uint32_t crc = ~0u;
    for (const char byte : bytes) {
        crc ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        }
    }
    return ~crc;
}

inline std::string tell_payload(std::string_view bytes) {
    if (bytes.empty()) {
        return "-";
    }
    char text[64];
    if (bytes.size() > longest_told) {
        std::snprintf(text, sizeof text, "%zu:%08x", bytes.size(), crc32(bytes));
        return text;
    }
    std::string told;
    for (const char byte : bytes) {
        std::snprintf(text, sizeof text, "%02x", static_cast<unsigned char>(byte));
        told += text;
    }
    return told;
}

#endif
