package main

// Reads /proc/stat, /proc/meminfo, /proc/net/dev and /proc/loadavg; see proc(5).

import (
	"fmt"
	"os"
	"strings"
	"time"

	"example.com/telemetry-agent/telemetrypb"
	"google.golang.org/protobuf/proto"
)

// procReader keeps the counters of the reading before, which the next one is compared with.
type procReader struct {
	cpu     map[string]cpuTimes
	traffic map[string]traffic
	at      time.Time
}

type cpuTimes struct{ busy, all uint64 }

type traffic struct{ received, sent uint64 }

// read gives one of each: of processors and interfaces from the second time on, having nothing to compare with before.
func (p *procReader) read() ([]proto.Message, error) {
	var readings []proto.Message
	for _, read := range []func() ([]proto.Message, error){p.readCPU, p.readNetwork, readMemory, readLoad} {
		some, err := read()
		if err != nil {
			return nil, err
		}
		readings = append(readings, some...)
	}
	return readings, nil
}

func lines(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), err
}

func (p *procReader) readCPU() ([]proto.Message, error) {
	all, err := lines("/proc/stat")
	if err != nil {
		return nil, err
	}
	var readings []proto.Message
	seen := map[string]cpuTimes{}
	for _, line := range all {
		// "cpu0 user nice system idle iowait irq softirq steal ..."; "cpu" alone is their sum.
		core, rest, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(core, "cpu") || core == "cpu" {
			continue
		}
		var ticks [8]uint64
		if err := scan(rest, &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]); err != nil {
			return nil, fmt.Errorf("/proc/stat: %w", err)
		}
		var now cpuTimes
		for column, t := range ticks {
			now.all += t
			if idle := column == 3 || column == 4; !idle {
				now.busy += t
			}
		}
		before, known := p.cpu[core]
		if known && now.all > before.all && now.busy >= before.busy {
			readings = append(readings, &telemetrypb.CpuReading{
				Core: core, BusyPercent: 100 * float64(now.busy-before.busy) / float64(now.all-before.all),
			})
		}
		seen[core] = now
	}
	p.cpu = seen
	return readings, nil
}

func (p *procReader) readNetwork() ([]proto.Message, error) {
	all, err := lines("/proc/net/dev")
	if err != nil {
		return nil, err
	}
	at := time.Now()
	passed := at.Sub(p.at).Seconds()
	var readings []proto.Message
	seen := map[string]traffic{}
	for _, line := range all {
		// "  eth0: bytes packets errs drop fifo frame compressed multicast bytes ..."
		name, rest, found := strings.Cut(line, ":")
		if !found {
			continue // a heading
		}
		name = strings.TrimSpace(name)
		var now traffic
		var skipped uint64
		if err := scan(rest, &now.received, &skipped, &skipped, &skipped, &skipped, &skipped, &skipped, &skipped, &now.sent); err != nil {
			return nil, fmt.Errorf("/proc/net/dev: %w", err)
		}
		before, known := p.traffic[name]
		if known && now.received >= before.received && now.sent >= before.sent {
			readings = append(readings, &telemetrypb.NetworkReading{
				Interface:         name,
				ReceivedBytesPerS: float64(now.received-before.received) / passed,
				SentBytesPerS:     float64(now.sent-before.sent) / passed,
			})
		}
		seen[name] = now
	}
	p.traffic, p.at = seen, at
	return readings, nil
}

func readMemory() ([]proto.Message, error) {
	all, err := lines("/proc/meminfo")
	if err != nil {
		return nil, err
	}
	reading := &telemetrypb.MemoryReading{}
	for _, line := range all {
		name, rest, _ := strings.Cut(line, ":")
		var into *uint64
		switch name {
		case "MemTotal":
			into = &reading.TotalKib
		case "MemAvailable":
			into = &reading.AvailableKib
		default:
			continue
		}
		if err := scan(rest, into); err != nil {
			return nil, fmt.Errorf("/proc/meminfo: %w", err)
		}
	}
	return []proto.Message{reading}, nil
}

func readLoad() ([]proto.Message, error) {
	all, err := lines("/proc/loadavg")
	if err != nil {
		return nil, err
	}
	reading := &telemetrypb.LoadReading{}
	if _, err := fmt.Sscan(all[0], &reading.OneMinute, &reading.FiveMinutes, &reading.FifteenMinutes); err != nil {
		return nil, fmt.Errorf("/proc/loadavg: %w", err)
	}
	return []proto.Message{reading}, nil
}

// scan reads the numbers that a line begins with.
func scan(text string, into ...*uint64) error {
	places := make([]any, len(into))
	for i, place := range into {
		places[i] = place
	}
	_, err := fmt.Sscan(text, places...)
	return err
}
