package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf16"

	"prilavok/domain"
	"prilavok/web/sms"
)

// kannel is a real gateway on this machine: Kannel's bearerbox and smsbox, and
// its fakesmsc, which plays the operator and the phones behind.
type kannel struct {
	t           testing.TB
	config      string // file
	admin       string // address of bearerbox's status
	sendsms     string // host and port of smsbox
	out, in     string // ports of the operator: one for texts to phones, one for texts from them
	boxes       []*process
	mu          sync.Mutex
	got         []phoneText
	open        map[string][]phoneText // parts of texts that are not whole yet
	changed     chan struct{}          // closed at the next text
	unpromising []string               // lines that look like a text and are none
}

// phoneText is a text as it came to a phone.
type phoneText struct {
	to   string // without the plus
	text string
	part string // header of a part, raw
	raw  []byte // of a part
}

const operator = "/usr/lib/kannel/test/fakesmsc"

// newRealKannel prepares a gateway that brings customers' SMS to an address;
// start starts it. Without Kannel a test is skipped; in CI it fails.
func newRealKannel(t testing.TB, incoming string) *kannel {
	t.Helper()
	for _, name := range []string{"bearerbox", "smsbox", operator} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("no Kannel: %v", err)
			}
			t.Skip("no Kannel: install kannel and kannel-extras (Debian's names)")
		}
	}
	ports := freePorts(t, 5)
	k := &kannel{
		t: t, config: filepath.Join(t.TempDir(), "kannel.conf"), admin: ports[0], out: ports[2], in: ports[3],
		sendsms: "127.0.0.1:" + ports[4], open: map[string][]phoneText{}, changed: make(chan struct{}),
	}
	// What it can't report while the program is away it reports when the program
	// is back: that is what http-request-retry and http-queue-delay, in seconds,
	// are for. Texts wait in memory, so a text that bearerbox dies with is lost
	// and never sent twice.
	config := fmt.Sprintf(`group = core
admin-port = %[1]s
admin-interface = 127.0.0.1
admin-password = %[6]s
smsbox-port = %[2]s
box-allow-ip = 127.0.0.1
dlr-storage = internal
log-level = 2

group = smsc
smsc = fake
smsc-id = OUT
port = %[3]s
connect-allow-ip = 127.0.0.1

group = smsc
smsc = fake
smsc-id = IN
allowed-smsc-id = IN
port = %[4]s
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = %[5]s
sendsms-interface = 127.0.0.1
http-request-retry = 600
http-queue-delay = 1
log-level = 2

group = sendsms-user
username = prilavok
password = %[6]s
max-messages = 10
concatenation = true

group = sms-service
keyword = default
get-url = "%[7]s?from=%%p&text=%%b&charset=%%C&id=%%I"
max-messages = 0
omit-empty = true
catch-all = true
`, ports[0], ports[1], ports[2], ports[3], ports[4], kannelPassword, incoming)
	if err := os.WriteFile(k.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		k.kill()
		if len(k.unpromising) > 0 {
			t.Errorf("fakesmsc prints what the test does not understand: %q", k.unpromising)
		}
	})
	return k
}

const kannelPassword = "a kannel password"

// env are the settings that lead a program to this gateway.
func (k *kannel) env() []string {
	return []string{
		"SMS_GATEWAYS=kannel", "KANNEL_URL=http://" + k.sendsms + "/cgi-bin/sendsms",
		"KANNEL_USER=prilavok", "KANNEL_PASSWORD=" + kannelPassword, "KANNEL_FROM=Prilavok",
	}
}

// start starts all three and waits until each has found the next one.
func (k *kannel) start() {
	k.t.Helper()
	k.boxes = append(k.boxes, startProcess(k.t, nil, "", "bearerbox", k.config))
	k.until("bearerbox", func(status string) bool { return strings.Contains(status, "Status: running") })
	// Where the program ends while a report is on its way to it, smsbox 1.4.5
	// may end in a panic of this name (gwlib/conn.c); whoever runs it has a
	// service that starts it again, such as run_kannel_box.
	k.boxes = append(k.boxes, startProcess(k.t, nil, "conn_unregister", "smsbox", k.config))
	k.until("smsbox", func(status string) bool { return strings.Contains(status, "smsbox:(none), IP") && listens(k.sendsms) })
	k.connect()
}

// connect lets the operator connect, and waits until it has. hangUp ends the
// connection: texts wait in the gateway then.
func (k *kannel) connect() {
	k.t.Helper()
	k.boxes = append(k.boxes, startProcess(k.t, k.read, "", operator, "-H", "127.0.0.1", "-r", k.out, "-m", "0", "1 2 text x"))
	k.until("fakesmsc", operatorOnline.MatchString)
}

var operatorOnline = regexp.MustCompile(`(?m)^\s*OUT\[OUT\].*\(online`)

func (k *kannel) hangUp() {
	k.t.Helper()
	k.boxes[2].kill()
	k.boxes = k.boxes[:2]
	k.until("the line", func(status string) bool { return !operatorOnline.MatchString(status) })
}

// kill ends the gateway as a power cut would. The operator ends by itself once
// it has read what had been sent to it. smsbox goes first, or it might end
// because of bearerbox and be started again.
func (k *kannel) kill() {
	for _, i := range []int{1, 0, 2} {
		if i >= len(k.boxes) {
			continue
		}
		p := k.boxes[i]
		if i == 2 {
			select {
			case <-p.gone:
			case <-time.After(patience):
				k.t.Error("fakesmsc does not end with its gateway")
			}
		}
		p.kill()
	}
	k.boxes = nil
}

// until waits for what bearerbox tells of itself.
func (k *kannel) until(what string, ready func(status string) bool) {
	k.t.Helper()
	box := k.boxes[len(k.boxes)-1]
	until(k.t, what+" is ready", func() bool {
		select {
		case <-box.gone:
			k.t.Fatalf("%s ended at once:\n%s", what, box.last())
		default:
		}
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
			"http://127.0.0.1:"+k.admin+"/status.txt?password="+url.QueryEscape(kannelPassword), nil)
		if err != nil {
			k.t.Fatal(err)
		}
		res, err := statusClient.Do(req)
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		status, err := io.ReadAll(res.Body)
		return err == nil && ready(string(status))
	})
}

var statusClient = &http.Client{Timeout: 5 * time.Second}

// gotMessage is a line of fakesmsc: sender, phone, kind, and the text in a
// spelling of its own.
var gotMessage = regexp.MustCompile(`Got message \d+: <\S+ (\S+) (text|ucs-2|data|udh) (.*)>$`)

// read takes one line of fakesmsc.
func (k *kannel) read(line string) {
	if !strings.Contains(line, "Got message") {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	m := gotMessage.FindStringSubmatch(line)
	if m == nil {
		k.unpromising = append(k.unpromising, line)
		return
	}
	p := phoneText{to: m[1]}
	switch m[2] {
	case "text":
		p.text = m[3]
	case "ucs-2":
		p.text = wide(unescape(m[3]))
	case "data":
		p.text = decode(unescape(m[3]))
	case "udh":
		// 05 00 03 REF COUNT NUMBER: one part of a long text.
		header, data, ok := strings.Cut(m[3], " data ")
		udh := unescape(header)
		if !ok || len(udh) != 6 || udh[0] != 5 {
			k.unpromising = append(k.unpromising, line)
			return
		}
		key := p.to + string(udh[3:5])
		k.open[key] = append(k.open[key], phoneText{part: string(udh), raw: unescape(data)})
		parts := k.open[key]
		if len(parts) < int(udh[4]) {
			return
		}
		delete(k.open, key)
		var all []byte
		for n := range parts {
			for _, part := range parts {
				if int(part.part[5]) == n+1 {
					all = append(all, part.raw...)
				}
			}
		}
		p.text = decode(all)
	}
	k.got = append(k.got, p)
	close(k.changed)
	k.changed = make(chan struct{})
}

// unescape undoes Kannel's own escapes in a URL.
func unescape(s string) []byte {
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return []byte(err.Error())
	}
	return []byte(plain)
}

func wide(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// decode reads a part whose alphabet fakesmsc does not tell: no text of ours in
// the small alphabet has the bytes by which Latin and Cyrillic begin in UTF-16.
func decode(b []byte) string {
	if len(b)%2 == 0 && strings.ContainsAny(string(b), "\x00\x04") {
		return wide(b)
	}
	return string(b)
}

// texts are those that have come to a phone, the oldest first.
func (k *kannel) texts(phone string) (texts []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.got {
		if p.to == digits(phone) {
			texts = append(texts, p.text)
		}
	}
	return texts
}

// count is how many texts have come to all phones, and a channel that is closed
// at the next one.
func (k *kannel) count() (int, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.got), k.changed
}

// await waits until so many texts have come to all phones. Where they do not,
// the test tells what the given functions say.
func (k *kannel) await(n int, say ...func() string) {
	k.t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		got, more := k.count()
		if got >= n {
			return
		}
		select {
		case <-more:
		case <-deadline:
			for _, what := range append(say, k.condition) {
				k.t.Log(what())
			}
			k.t.Fatalf("%d texts have come, and no %d", got, n)
		}
	}
}

// condition tells which of the three run, and what each said last.
func (k *kannel) condition() string {
	var said []string
	for i, p := range k.boxes {
		state := "runs"
		select {
		case <-p.gone:
			state = "has ended"
		default:
		}
		said = append(said, fmt.Sprintf("%s %s; its last words:\n%s", []string{"bearerbox", "smsbox", operator}[i], state, p.last()))
	}
	return strings.Join(said, "\n")
}

// receive waits for the n-th text to a phone and gives it.
func (k *kannel) receive(phone string, n int) string {
	k.t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		_, more := k.count()
		if texts := k.texts(phone); len(texts) >= n {
			return texts[n-1]
		}
		select {
		case <-more:
		case <-deadline:
			k.t.Fatalf("no text number %d has come to %s: %q", n, phone, k.texts(phone))
		}
	}
}

// code waits for the n-th code that comes to a phone.
func (k *kannel) code(phone string, n int) string {
	k.t.Helper()
	text := k.receive(phone, n)
	code := leadingDigits.FindString(text)
	if code == "" {
		k.t.Fatalf("no code at the beginning of %q", text)
	}
	return code
}

// write sends an SMS from a phone.
func (k *kannel) write(phone, text string) {
	k.t.Helper()
	came := k.heard()
	escaped := ""
	for _, unit := range utf16.Encode([]rune(text)) {
		escaped += fmt.Sprintf("%%%02x%%%02x", unit>>8, unit&0xff)
	}
	sent := make(chan struct{})
	once := sync.OnceFunc(func() { close(sent) })
	p := startProcess(k.t, func(line string) {
		if strings.Contains(line, "sent message 1") {
			once()
		}
	}, "", operator, "-H", "127.0.0.1", "-r", k.in, "-i", "0.1", "-m", "1", digits(phone)+" 100 ucs2 "+escaped)
	select {
	case <-sent:
	case <-time.After(patience):
		k.t.Fatalf("no SMS could be sent from %s", phone)
	}
	until(k.t, "the gateway has the SMS", func() bool { return k.heard() > came })
	p.kill() // one connection at a time
}

var received = regexp.MustCompile(`SMS: received (\d+)`)

// heard is how many SMS from phones the gateway has received.
func (k *kannel) heard() (n int) {
	k.until("bearerbox", func(status string) bool {
		m := received.FindStringSubmatch(status)
		if m != nil {
			n, _ = strconv.Atoi(m[1])
		}
		return m != nil
	})
	return n
}

// process is a program beside the test.
type process struct {
	gone   chan struct{}
	mu     sync.Mutex
	cmd    *exec.Cmd
	said   []string
	killed bool
	starts int
}

// last are the last lines of its standard error.
func (p *process) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.said, "\n")
}

// startProcess starts one; read gets the lines of its standard error. Where it
// ends by itself and has said the known word lately it is started again; any
// other end is for good.
func startProcess(t testing.TB, read func(line string), known, name string, args ...string) *process {
	t.Helper()
	p := &process{gone: make(chan struct{})}
	stderr, err := p.run(name, args)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.gone)
		for err == nil {
			lines := bufio.NewScanner(stderr)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				if read != nil {
					read(lines.Text())
				}
				p.say(lines.Text())
			}
			_ = p.cmd.Wait() // only this goroutine replaces it
			p.say("— " + p.cmd.ProcessState.String())
			if known == "" || !strings.Contains(p.last(), known) {
				return
			}
			if stderr, err = p.run(name, args); err != nil {
				p.say("— not started again: " + err.Error())
			}
		}
	}()
	t.Cleanup(func() {
		p.kill()
		if p.starts > 1 {
			t.Logf("%s was started %d times", name, p.starts)
		}
	})
	return p
}

// say keeps a line among the last.
func (p *process) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said[max(0, len(p.said)-19):], line)
}

// run starts the program, unless it was killed.
func (p *process) run(name string, args []string) (stderr io.Reader, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return nil, os.ErrProcessDone
	}
	cmd := exec.Command(name, args...) //nolint:noctx // ended by kill
	if stderr, err = cmd.StderrPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.cmd, p.said = cmd, nil
	p.starts++
	return stderr, nil
}

// kill ends it at once, if it has not ended by itself.
func (p *process) kill() {
	p.mu.Lock()
	p.killed = true
	_ = p.cmd.Process.Kill()
	p.mu.Unlock()
	<-p.gone
}

// freePorts are ports for what takes no open listener. No port is given twice,
// and none is of those that the system gives to connections and to listeners
// that ask for any: nobody takes it between the look and the use.
func freePorts(t testing.TB, n int) (ports []string) {
	t.Helper()
	for tries := 0; len(ports) < n; tries++ {
		if tries > 1000 {
			t.Fatal("no port is free")
		}
		port := strconv.Itoa(firstPort + int(nextPort.Add(1)%manyPorts))
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:"+port)
		if err != nil {
			continue // somebody listens there
		}
		_ = l.Close()
		ports = append(ports, port)
	}
	return ports
}

const firstPort, manyPorts = 10_000, 20_000 // Linux gives others from 32768

// nextPort begins anywhere, since other processes look for ports as well.
var nextPort = func() *atomic.Int64 {
	n := &atomic.Int64{}
	n.Store(rand.Int64N(manyPorts)) //nolint:gosec // no secret
	return n
}()

func listens(address string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// until asks again and again for what has no signal.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	// A message that found its gateway gone comes back after half a minute, a
	// minute, two…
	deadline := time.After(5 * time.Minute)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

// callbacks are the addresses at which a program hears Kannel.
func callbacks(site, secret string) (reports, incoming string) {
	s := &domain.Service{Secret: []byte(secret), CallbackURL: site}
	return s.GatewayURLs(sms.NewKannel(sms.KannelOptions{Now: time.Now}))
}
