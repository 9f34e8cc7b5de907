package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// A tap stands between a program and its PostgreSQL and Redis and writes down
// what is really asked. The program knows nothing of it.
type tap struct {
	t  testing.TB
	mu sync.Mutex
	asked
}

// asked is what was asked of both, in order.
type asked struct {
	sql        []*statement
	redis      []redisCommand
	sqlTrips   int // a statement that a connection meets for the first time takes two
	redisTrips int
}

// statement is one that PostgreSQL ran, with its parameters as they travel.
type statement struct {
	text    string
	simple  bool // without parameters, as "begin" and "commit" go
	params  [][]byte
	formats []int16
	results []int16
	first   [][]byte // the first row of the answer
}

// redisCommand is one of Redis with its arguments.
type redisCommand []string

// newTap gives env with the addresses of the tap in it.
func newTap(t testing.TB, env []string) (*tap, []string) {
	t.Helper()
	p := &tap{t: t}
	out := append([]string{}, env...)
	for i, line := range out {
		name, value, _ := strings.Cut(line, "=")
		var watch func() (up, down io.Writer)
		switch name {
		case "DATABASE_URL":
			watch = p.watchSQL
		case "REDIS_URL":
			watch = p.watchRedis
		default:
			continue
		}
		u, err := url.Parse(value)
		if err != nil {
			t.Fatal(name + " is no address")
		}
		u.Host = p.listen(u.Host, watch)
		out[i] = name + "=" + u.String()
	}
	return p, out
}

// during gives what f makes the program ask.
func (p *tap) during(f func()) asked {
	p.mu.Lock()
	p.asked = asked{}
	p.mu.Unlock()
	f()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// listen passes connections on to an address. What passes is read before it
// goes on, so that an answer never overtakes what is written down of it.
func (p *tap) listen(address string, watch func() (up, down io.Writer)) string {
	p.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return // closed
			}
			far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
			if err != nil {
				_ = near.Close()
				continue
			}
			up, down := watch()
			pass := func(to, from net.Conn, seen io.Writer) {
				_, _ = io.Copy(io.MultiWriter(seen, to), from)
				_ = to.Close()
			}
			go pass(far, near, up)
			go pass(near, far, down)
		}
	}()
	return l.Addr().String()
}

// framed calls take for as long as it finds something whole at the beginning
// of what has arrived; take gives the length of that, or 0.
type framed struct {
	arrived []byte
	take    func([]byte) int
}

func (f *framed) Write(b []byte) (int, error) {
	f.arrived = append(f.arrived, b...)
	for len(f.arrived) > 0 {
		n := f.take(f.arrived)
		if n == 0 {
			break
		}
		f.arrived = f.arrived[n:]
	}
	return len(b), nil
}

// watchSQL follows one connection of PostgreSQL's protocol, version 3.
func (p *tap) watchSQL() (up, down io.Writer) {
	var (
		started, pages bool
		texts          = map[string]string{} // of prepared statements, by name
		open           []*statement          // asked and not answered yet
	)
	ask := func(s *statement) {
		p.sql = append(p.sql, s)
		open = append(open, s)
	}
	up = &framed{take: func(b []byte) int {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !started {
			n := whole(b, 0)
			started = n > 0
			// River has connections of its own, without our timeouts, and asks
			// at its own times.
			pages = started && bytes.Contains(b[:n], []byte("statement_timeout"))
			return n
		}
		n := whole(b, 1)
		if n == 0 || !pages {
			return n
		}
		body := bytes.Clone(b[5:n])
		switch b[0] {
		case 'P':
			var m pgproto3.Parse
			p.must(m.Decode(body))
			texts[m.Name] = m.Query
		case 'B':
			var m pgproto3.Bind
			p.must(m.Decode(body))
			ask(&statement{text: texts[m.PreparedStatement], params: m.Parameters, formats: m.ParameterFormatCodes, results: m.ResultFormatCodes})
		case 'Q':
			p.sqlTrips++
			ask(&statement{text: string(bytes.TrimRight(body, "\x00")), simple: true})
		case 'S':
			p.sqlTrips++
		}
		return n
	}}
	down = &framed{take: func(b []byte) int {
		p.mu.Lock()
		defer p.mu.Unlock()
		n := whole(b, 1)
		if n == 0 || len(open) == 0 {
			return n
		}
		switch b[0] {
		case 'D':
			var m pgproto3.DataRow
			p.must(m.Decode(bytes.Clone(b[5:n])))
			if open[0].first == nil {
				open[0].first = m.Values
			}
		case 'C', 'E', 'I':
			open = open[1:]
		}
		return n
	}}
	return up, down
}

// whole is the length of the message at the beginning of b, 0 where it has
// not arrived yet. Its length stands after skip bytes and counts itself.
func whole(b []byte, skip int) int {
	if len(b) < skip+4 {
		return 0
	}
	if n := skip + int(binary.BigEndian.Uint32(b[skip:])); n <= len(b) {
		return n
	}
	return 0
}

// watchRedis follows one connection of Redis. What arrives together was sent
// together: one round trip.
func (p *tap) watchRedis() (up, down io.Writer) {
	commands := &framed{}
	commands.take = func(b []byte) int {
		c, n := readCommand(b)
		if n > 0 {
			p.redis = append(p.redis, c)
		}
		return n
	}
	up = writer(func(b []byte) (int, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.redisTrips++
		return commands.Write(b)
	})
	return up, io.Discard
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// readCommand reads an array of strings in Redis's protocol and gives its
// length, 0 where it has not arrived whole.
func readCommand(b []byte) (c redisCommand, n int) {
	line := func() (int, bool) {
		end := bytes.IndexByte(b[n:], '\n')
		if end < 2 {
			return 0, false
		}
		v, err := strconv.Atoi(string(b[n+1 : n+end-1]))
		n += end + 1
		return v, err == nil
	}
	count, ok := line()
	for range count {
		size, there := line()
		if !there || n+size+2 > len(b) {
			return nil, 0
		}
		c = append(c, string(b[n:n+size]))
		n += size + 2
	}
	if !ok {
		return nil, 0
	}
	return c, n
}

func (p *tap) must(err error) {
	if err != nil {
		p.t.Errorf("the tap does not understand PostgreSQL: %v", err)
	}
}
