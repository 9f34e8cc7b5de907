package redisstore_test

import (
	"bufio"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/web/redisstore"
)

// server is a Redis server that the test may break.
type server struct {
	t           *testing.T
	binary, dir string
	cmd         *exec.Cmd
	gone        chan struct{}
	url         string
	admin       *redis.Client
}

func privateRedis(t *testing.T) *server {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		skipUnlessRequired(t, "redis-server is not installed: not run on a server that may be broken")
	}
	r := &server{t: t, binary: binary, dir: t.TempDir()}
	socket := filepath.Join(r.dir, "redis.sock")
	r.url, r.admin = "unix://"+socket+"?db=0", redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	r.start()
	t.Cleanup(func() {
		_ = r.admin.Close()
		r.stop()
	})
	return r
}

// start begins with nothing in memory.
func (r *server) start() {
	r.t.Helper()
	r.cmd = exec.Command(r.binary, "--port", "0", "--unixsocket", filepath.Join(r.dir, "redis.sock"), //nolint:noctx // ended by stop, in order
		"--dir", r.dir, "--save", "", "--maxmemory-policy", "noeviction")
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ready, gone := make(chan struct{}), make(chan struct{})
	r.gone = gone
	go func() {
		defer close(gone)
		once := sync.OnceFunc(func() { close(ready) })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "ready to accept connections") {
				once()
			}
		}
	}()
	select {
	case <-ready:
	case <-gone:
		r.t.Fatal("redis-server ended at once")
	case <-time.After(30 * time.Second):
		r.t.Fatal("redis-server did not get ready")
	}
}

func (r *server) stop() {
	_ = r.cmd.Process.Kill()
	<-r.gone
	_ = r.cmd.Wait()
}

// pause lets the server stand still; the kernel goes on taking what is sent
// to it, and resume has it carried out.
func (r *server) pause() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		r.t.Fatal(err)
	}
}

func (r *server) resume() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		r.t.Fatal(err)
	}
}

// memory limits what the server may use; 0 is no limit.
func (r *server) memory(limit string) {
	r.t.Helper()
	if err := r.admin.ConfigSet(r.t.Context(), "maxmemory", limit).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// proxy stands between a client and a Redis server, and can fail as networks
// do.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	stalled bool
	held    sync.RWMutex // locked while the proxy stalls
	conns   []net.Conn
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // local
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target}
	go p.serve()
	t.Cleanup(func() {
		p.cut()
		p.stall(false)
	})
	return p
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target) //nolint:noctx // local
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		go p.pipe(client, server)
		go p.pipe(server, client)
	}
}

func (p *proxy) pipe(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if p.pass(to, buf[:n]) != nil || err != nil {
			return
		}
	}
}

// pass waits until the proxy stalls no more.
func (p *proxy) pass(to net.Conn, data []byte) error {
	p.held.RLock()
	defer p.held.RUnlock()
	_, err := to.Write(data)
	return err
}

// stall holds back every byte in both directions, or lets them go.
func (p *proxy) stall(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on != p.stalled {
		p.stalled = on
		if on {
			p.held.Lock()
		} else {
			p.held.Unlock()
		}
	}
}

// drop closes the connections that are open.
func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.conns = nil
}

// cut closes the connections and takes no more.
func (p *proxy) cut() {
	_ = p.listener.Close()
	p.drop()
}

// proxied opens the real Redis through a proxy.
func proxied(t *testing.T) (*redisstore.Store, *proxy) {
	t.Helper()
	direct := realURL(t)
	through, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, through.Host)
	through.Host = p.listener.Addr().String()
	return open(t, through.String(), direct), p
}
