package dividere

// How a handle behaves, and what belongs to the process. docs/options.md has the limits of each.

// #include "shim.h"
import "C"

import (
	"time"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// An Option says how a handle behaves, or, for Configure, the process. It is looked at when the handle is made: a value
// that is not allowed, or an option that is none of that handle's, is ErrInvalidArgument then. Where one is given twice
// the last one counts, unless it says otherwise.
type Option func(*settings) error

// A FullQueue says what a send does where the queue to a peer is full.
type FullQueue int32

// What a send does where the queue to a peer is full.
const (
	// FullQueueUsual is FullQueueDrop for a publisher and FullQueueBlock for all others.
	FullQueueUsual FullQueue = C.DIVIDERE_FULL_QUEUE_USUAL
	// FullQueueDrop gives the message up for that peer, and counts it.
	FullQueueDrop FullQueue = C.DIVIDERE_FULL_QUEUE_DROP
	// FullQueueBlock waits for room, for the send timeout or as long as the context allows.
	FullQueueBlock FullQueue = C.DIVIDERE_FULL_QUEUE_BLOCK
	// FullQueueFail returns ErrWouldBlock at once; nothing was sent.
	FullQueueFail FullQueue = C.DIVIDERE_FULL_QUEUE_FAIL
)

// settings are what options set.
type settings struct {
	options     *C.dividere_options_t
	full        FullQueue
	sendTimeout time.Duration
	// Of a subscriber: nil for everything.
	types     []protoreflect.FullName
	onlyTypes bool
	// Of a service; nil for all others.
	service *serviceSettings
}

// fullQueue is what the sends of a handle do, as far as Go does it.
type fullQueue struct {
	block bool
	limit time.Duration
}

// The send timeout unless it was set.
const usualSendTimeout = 10 * time.Second

// with makes settings of options, and calls make with them.
func with(options []Option, make func(s *settings) error) error {
	s := &settings{sendTimeout: usualSendTimeout}
	if err := check(func() C.dividere_status_t { return C.dividere_options_new(&s.options) }); err != nil {
		return err
	}
	defer C.dividere_options_free(s.options)
	if err := s.apply(options); err != nil {
		return err
	}
	return make(s)
}

func (s *settings) apply(options []Option) error {
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option(s); err != nil {
			return err
		}
	}
	return nil
}

// waitInGo says how a role's sends wait: it makes a queue that blocks one that fails below, since waiting in C would
// hold a thread, and gives what is to be done here. For a role that takes no such option pass FullQueueDrop.
func (s *settings) waitInGo(usual FullQueue) (fullQueue, error) {
	full := s.full
	if full == FullQueueUsual {
		full = usual
	}
	if full != FullQueueBlock {
		return fullQueue{limit: s.sendTimeout}, nil
	}
	if s.sendTimeout < 0 {
		s.sendTimeout = -1
	}
	err := s.setInt(C.DIVIDERE_OPTION_FULL_QUEUE, C.DIVIDERE_FULL_QUEUE_FAIL)
	return fullQueue{block: true, limit: s.sendTimeout}, err
}

func (s *settings) setInt(key C.int32_t, value int64) error {
	return check(func() C.dividere_status_t {
		return C.dividere_options_set_int(s.options, key, C.int64_t(value))
	})
}

func (s *settings) setText(key C.int32_t, value string) error {
	if err := withoutNul(value); err != nil {
		return err
	}
	text := C.CString(value)
	defer C.free(unsafe.Pointer(text))
	return check(func() C.dividere_status_t { return C.dividere_options_set_string(s.options, key, text) })
}

func number(key C.int32_t, value int64) Option {
	return func(s *settings) error { return s.setInt(key, value) }
}

func text(key C.int32_t, value string) Option {
	return func(s *settings) error { return s.setText(key, value) }
}

func flag(key C.int32_t, on bool) Option {
	if on {
		return number(key, 1)
	}
	return number(key, 0)
}

// span is a time in milliseconds.
func span(key C.int32_t, d time.Duration) Option {
	return number(key, milliseconds(d))
}

func milliseconds(d time.Duration) int64 { return rounded(d, time.Millisecond) }

func seconds(key C.int32_t, d time.Duration) Option { return number(key, rounded(d, time.Second)) }

// rounded is away from 0, so that what is above it stays above, and what is below, which is refused, below.
func rounded(d, unit time.Duration) int64 {
	whole := int64(d / unit)
	switch rest := d % unit; {
	case rest > 0:
		whole++
	case rest < 0:
		whole--
	}
	return whole
}

// WithOptions is several options as one.
func WithOptions(options ...Option) Option {
	return func(s *settings) error {
		return s.apply(options)
	}
}

// WithSendHighWaterMark sets how many messages may wait to be sent to one peer; 0 for no limit. 1000 unless set.
func WithSendHighWaterMark(messages int) Option {
	return number(C.DIVIDERE_OPTION_SEND_HIGH_WATER_MARK, int64(messages))
}

// WithReceiveHighWaterMark sets how many messages of one peer may wait to be received; 0 for no limit. 1000 unless set.
func WithReceiveHighWaterMark(messages int) Option {
	return number(C.DIVIDERE_OPTION_RECEIVE_HIGH_WATER_MARK, int64(messages))
}

// WithLinger sets how long Close, Flush and Shutdown go on sending what was accepted. 1 s unless set.
func WithLinger(d time.Duration) Option { return span(C.DIVIDERE_OPTION_LINGER_MS, d) }

// WithHeartbeatInterval sets how often a silent peer is asked whether it is there; 0 never. 1 s unless set.
func WithHeartbeatInterval(d time.Duration) Option {
	return span(C.DIVIDERE_OPTION_HEARTBEAT_INTERVAL_MS, d)
}

// WithHeartbeatTimeout sets how long a peer may take to answer that. 3 s unless set.
func WithHeartbeatTimeout(d time.Duration) Option {
	return span(C.DIVIDERE_OPTION_HEARTBEAT_TIMEOUT_MS, d)
}

// WithReconnectInterval sets the first pause before connecting again; it doubles each time. 50 ms unless set.
func WithReconnectInterval(d time.Duration) Option {
	return span(C.DIVIDERE_OPTION_RECONNECT_INTERVAL_MS, d)
}

// WithReconnectIntervalMax sets the longest such pause; 0 when it shall not grow. 1 s unless set.
func WithReconnectIntervalMax(d time.Duration) Option {
	return span(C.DIVIDERE_OPTION_RECONNECT_INTERVAL_MAX_MS, d)
}

// WithConnectTimeout sets how long one attempt to connect may take; 0 for the system's time. 5 s unless set.
func WithConnectTimeout(d time.Duration) Option {
	return span(C.DIVIDERE_OPTION_CONNECT_TIMEOUT_MS, d)
}

// WithHandshakeTimeout sets how long the handshake after it may take. 5 s unless set.
func WithHandshakeTimeout(d time.Duration) Option {
	return span(C.DIVIDERE_OPTION_HANDSHAKE_TIMEOUT_MS, d)
}

// WithSendTimeout sets how long a send waits at most where a full queue blocks, whatever its context allows: ErrTimeout
// after it; negative for as long as the context allows. 10 s unless set.
func WithSendTimeout(d time.Duration) Option {
	return func(s *settings) error {
		ms := int64(-1)
		if d >= 0 {
			ms = milliseconds(d)
		}
		s.sendTimeout = d
		return s.setInt(C.DIVIDERE_OPTION_SEND_TIMEOUT_MS, ms)
	}
}

// WithFullQueue sets what a send does where the queue to a peer is full.
func WithFullQueue(full FullQueue) Option {
	return func(s *settings) error {
		s.full = full
		return s.setInt(C.DIVIDERE_OPTION_FULL_QUEUE, int64(full))
	}
}

// WithMaxMessageSize sets the largest frame sent or received, in bytes; 0 for no limit. 64 MiB unless set. A larger one
// is refused with ErrTooLarge where it is sent; where it arrives nevertheless, its connection is closed.
func WithMaxMessageSize(bytes int64) Option {
	return number(C.DIVIDERE_OPTION_MAX_MESSAGE_SIZE, bytes)
}

// WithIdentity sets the name under which peers route to the handle: 1 to 255 bytes, the first one not 0.
func WithIdentity(identity []byte) Option {
	return func(s *settings) error {
		return check(func() C.dividere_status_t {
			return C.dividere_options_set_bytes(s.options, C.DIVIDERE_OPTION_IDENTITY,
				unsafe.Pointer(unsafe.SliceData(identity)), C.size_t(len(identity)))
		})
	}
}

// WithKeepLatest makes a subscriber keep only the newest message.
func WithKeepLatest() Option { return flag(C.DIVIDERE_OPTION_KEEP_LATEST, true) }

// WithIPv6 sets whether IPv6 is used beside IPv4. It is unless set.
func WithIPv6(on bool) Option { return flag(C.DIVIDERE_OPTION_IPV6, on) }

// WithTCPKeepalive lets the system look for dead TCP connections: after idle of silence, every interval, until count
// questions had no answer. 0 is the system's value for each. Times are rounded up to seconds.
func WithTCPKeepalive(idle, interval time.Duration, count int) Option {
	return WithOptions(flag(C.DIVIDERE_OPTION_TCP_KEEPALIVE, true),
		seconds(C.DIVIDERE_OPTION_TCP_KEEPALIVE_IDLE_S, idle),
		seconds(C.DIVIDERE_OPTION_TCP_KEEPALIVE_INTERVAL_S, interval),
		number(C.DIVIDERE_OPTION_TCP_KEEPALIVE_COUNT, int64(count)))
}

// WithBacklog sets how many connections may wait to be accepted; 0 for libzmq's value.
func WithBacklog(connections int) Option {
	return number(C.DIVIDERE_OPTION_BACKLOG, int64(connections))
}

// WithTypeOfService sets the type-of-service field of IP packets; 0 for the system's value.
func WithTypeOfService(value int) Option {
	return number(C.DIVIDERE_OPTION_TYPE_OF_SERVICE, int64(value))
}

// WithTypes makes a subscriber receive messages of these types only, given as (empty) messages; with none, nothing
// until something is subscribed to. Given twice, it adds.
func WithTypes(types ...proto.Message) Option {
	return func(s *settings) error {
		s.onlyTypes = true
		for _, message := range types {
			if message == nil {
				return errNil
			}
			s.types = append(s.types, message.ProtoReflect().Descriptor().FullName())
		}
		return nil
	}
}

// WithTypeNames is WithTypes with the types' full names.
func WithTypeNames(names ...protoreflect.FullName) Option {
	return func(s *settings) error {
		s.onlyTypes = true
		for _, name := range names {
			if err := withoutNul(string(name)); err != nil {
				return err
			}
		}
		s.types = append(s.types, names...)
		return nil
	}
}

// WithCurveServer makes the handle a CURVE server with this secret key (40 characters of Z85). It needs WithCurveAllow
// or WithCurveAllowAny, too.
func WithCurveServer(secretKey string) Option {
	return text(C.DIVIDERE_OPTION_CURVE_SERVER_SECRET_KEY, secretKey)
}

// WithCurveAllow lets the clients with these public keys in, and no others. Given twice, it adds.
func WithCurveAllow(publicKeys ...string) Option {
	return func(s *settings) error {
		for _, key := range publicKeys {
			if err := s.setText(C.DIVIDERE_OPTION_CURVE_ALLOWED_KEY, key); err != nil {
				return err
			}
		}
		return nil
	}
}

// WithCurveAllowAny lets every client in that knows the server's public key.
func WithCurveAllowAny() Option { return flag(C.DIVIDERE_OPTION_CURVE_ALLOW_ANY, true) }

// WithCurveClient makes the handle a CURVE client with this secret key, of the server that has this public key.
func WithCurveClient(serverPublicKey, secretKey string) Option {
	return WithOptions(text(C.DIVIDERE_OPTION_CURVE_SERVER_PUBLIC_KEY, serverPublicKey),
		text(C.DIVIDERE_OPTION_CURVE_CLIENT_SECRET_KEY, secretKey))
}

// WithIOThreads sets how many threads of the process move bytes, for Configure. 1 unless set.
func WithIOThreads(threads int) Option { return number(C.DIVIDERE_OPTION_IO_THREADS, int64(threads)) }

// WithMaxSockets sets how many sockets the process has at once, for Configure. 65535 unless set.
func WithMaxSockets(sockets int) Option { return number(C.DIVIDERE_OPTION_MAX_SOCKETS, int64(sockets)) }

// WithThreadNamePrefix sets how the names of dividere's threads begin, 1 to 8 bytes, for Configure. "dividere" unless
// set.
func WithThreadNamePrefix(prefix string) Option {
	return text(C.DIVIDERE_OPTION_THREAD_NAME_PREFIX, prefix)
}
