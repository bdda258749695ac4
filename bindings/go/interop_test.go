package dividere_test

// With the Python dividere 2.2.0, in an environment whose interpreter DIVIDERE_PYTHON22 names.

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
)

// peer is a process of 2.2.0.
type peer struct {
	t     testing.TB
	in    io.WriteCloser
	lines chan string
}

func python22(t testing.TB, arguments ...string) *peer {
	t.Helper()
	python := os.Getenv("DIVIDERE_PYTHON22")
	if python == "" {
		t.Skip("DIVIDERE_PYTHON22 names no interpreter that has dividere 2.2.0")
	}
	command := exec.Command(python, append([]string{"testdata/peer_py22.py"}, arguments...)...)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	must(t, err)
	out, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	p := &peer{t, in, make(chan string, 100)}
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		in.Close()
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return p
}

func (p *peer) line() string {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatal("the peer ended")
		}
		return line
	case <-time.After(patience):
		p.t.Fatal("the peer says nothing")
	}
	return ""
}

func (p *peer) tell(line string) {
	p.t.Helper()
	_, err := io.WriteString(p.in, line+"\n")
	must(p.t, err)
}

func wantsText(t testing.TB, got *testpb.Position, want string) {
	t.Helper()
	if got.GetText() != want {
		t.Fatalf("got %q, not %q", got.GetText(), want)
	}
}

func TestPython22IsSubscribedTo(t *testing.T) {
	theirs := python22(t, "publish")
	s := subscriber(t, theirs.line(), dividere.WithTypes(&testpb.Position{}))
	// It does not tell when it is subscribed to: so it publishes until something came.
	ctx, cancel := context.WithCancel(soon(t))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if _, err := io.WriteString(theirs.in, "hello\n"); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	got, err := dividere.Recv[*testpb.Position](ctx, s)
	cancel()
	<-ended
	must(t, err)
	wantsText(t, got, "hello")
}

func TestPython22Subscribes(t *testing.T) {
	p, at := publisher(t, "tcp://127.0.0.1:*")
	theirs := python22(t, "subscribe", at)
	theirs.line()
	must(t, p.WaitForSubscribers(soon(t), 1, ""))
	must(t, p.Send(soon(t), &testpb.Position{Text: "hello"}))
	if got := theirs.line(); got != "hello" {
		t.Fatal(got)
	}
}

func TestPython22Answers(t *testing.T) {
	r := request(t, python22(t, "answer").line())
	for _, text := range []string{"a", "b"} {
		got, err := dividere.Call[*testpb.Position](soon(t), r, &testpb.Position{Text: text})
		must(t, err)
		wantsText(t, got, text+text)
	}
}

func TestPython22Asks(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	theirs := python22(t, "ask", at)
	for _, text := range []string{"a", "b"} {
		theirs.tell(text)
		got, err := dividere.Recv[*testpb.Position](soon(t), served)
		must(t, err)
		wantsText(t, got, text)
		must(t, served.Send(soon(t), &testpb.Position{Text: text + "!"}))
		if got := theirs.line(); got != text+"!" {
			t.Fatal(got)
		}
	}
}

func TestPython22DealsWithADealer(t *testing.T) {
	d := dealer(t, "tcp://127.0.0.1:*")
	at, err := d.LastEndpoint()
	must(t, err)
	theirs := python22(t, "deal", at)
	theirs.tell("a")
	got, err := dividere.Recv[*testpb.Position](soon(t), d)
	must(t, err)
	must(t, d.Send(soon(t), &testpb.Position{Text: got.GetText() + "?"}))
	if got := theirs.line(); got != "a?" {
		t.Fatal(got)
	}
}
