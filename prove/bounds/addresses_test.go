package bounds

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/integrations/conformance"
	"scrip.dev/scrip/integrations/httpcall"
	"scrip.dev/scrip/prove/proof"
)

// names is a DNS server of the test's own, which every lookup of this process goes to.
type names struct {
	mu      sync.Mutex
	answers map[string][][]net.IP // by name, what each lookup is answered; the last stands
	asked   map[string]int
}

// setNames starts the server. What nobody set is 127.0.0.1, whatever it is called.
func setNames(t *testing.T) *names {
	t.Helper()
	n := &names{answers: map[string][][]net.IP{}, asked: map[string]int{}}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := n.answer(buffer[:size]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() { net.DefaultResolver = before })
	return n
}

func (n *names) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	question := m.Questions[0]
	name := strings.TrimSuffix(question.Name.String(), ".")
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	for _, ip := range n.next(name, question.Type) {
		header := dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class}
		if v4 := ip.To4(); question.Type == dnsmessage.TypeA && v4 != nil {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: [4]byte(v4)}})
		} else if question.Type == dnsmessage.TypeAAAA && v4 == nil {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: [16]byte(ip)}})
		}
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}

func (n *names) next(name string, kind dnsmessage.Type) []net.IP {
	n.mu.Lock()
	defer n.mu.Unlock()
	turns, known := n.answers[name]
	if !known {
		return []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	question := name + " " + kind.String() // each lookup asks for A and AAAA once, in any order
	turn := min(n.asked[question], len(turns)-1)
	n.asked[question]++
	return turns[turn]
}

// inside is a server in the own network that must not be reached.
func inside(t *testing.T) (port string, reached *atomic.Int64) {
	t.Helper()
	reached = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	return port, reached
}

// privateHosts are addresses that only the own network or nobody has, in every
// spelling that some program takes.
var privateHosts = []string{
	"127.0.0.1", "127.255.255.254", "localhost", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255",
	"192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
	"[::1]", "[::]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[fe80::1]", "[fe80::1%25lo]", "[febf::1]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[ff0e::1]",
	"[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::]", "[2001::7f00:1]", "[2001:0:a9fe:a9fe::1]", "[2001:db8::1]", "[2001:20::1]", "[100::1]", "[3fff::1]", "[5f00::1]", "[4000::1]",
	"2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "127.0.0.01", "127.000.000.001", "0", "0x0", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
	"127.0.0.1.", "LOCALHOST", "localhost.", "inside.example", "1.0.0.127.in-addr.arpa", "127.0.0.1.nip.example", "xn--example-name", "metadata.google.internal",
}

func call(t *testing.T, settings, method, path string) error {
	t.Helper()
	made, err := httpcall.New(conformance.Settings("api", settings, nil))
	if err != nil {
		return err
	}
	_, err = made.(integrations.Caller).Call(t.Context(), method, path, nil)
	return err
}

// A `call` step dials no address of the own network, however it is spelled, unless its
// connection says so.
func TestCalls_ReachNoPrivateAddress(t *testing.T) {
	setNames(t)
	port, reached := inside(t)
	times := 0
	for _, scheme := range []string{"http", "https"} {
		for _, host := range privateHosts {
			err := call(t, "base_url: \""+scheme+"://"+host+":"+port+"/v1\"", "GET", "/")
			var problems integrations.Problems
			if !errors.As(err, &problems) { // else the settings are refused already
				require.Error(t, err, host)
				require.Regexp(t, `private_address|\(dns\)`, err.Error(), "%s: refused, or no name at all", host)
			}
			times++
		}
	}
	require.Zero(t, reached.Load(), "an address of the own network was reached")
	for _, host := range []string{"127.0.0.1", "localhost", "inside.example", "0x7f000001"} {
		require.NoError(t, call(t, "base_url: \"http://"+host+":"+port+"/v1\"\nallow_private: true", "GET", "/"), host)
	}
	require.EqualValues(t, 4, reached.Load(), "with allow_private the same is reached")
	proof.Found(t, proof.Finding{Tried: "spellings of private addresses, called by http and https", Times: times, Found: "none reached"})
}

// A name that is public while it is looked at and private when it is dialled is
// refused: the dialled address decides.
func TestCalls_AreNotReboundToAPrivateAddress(t *testing.T) {
	n := setNames(t)
	port, reached := inside(t)
	times := 0
	for _, private := range []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(169, 254, 169, 254), net.ParseIP("::1"), net.ParseIP("64:ff9b::7f00:1")} {
		name := "rebound-" + strings.ReplaceAll(strings.ReplaceAll(private.String(), ":", "-"), ".", "-") + ".example"
		n.answers[name] = [][]net.IP{{net.IPv4(8, 8, 8, 8)}, {private}}
		first, err := net.DefaultResolver.LookupHost(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, []string{"8.8.8.8"}, first, "who looks first sees a public address")
		err = call(t, "base_url: http://"+name+":"+port, "GET", "/")
		require.ErrorContains(t, err, "private_address")
		times++
	}
	require.Zero(t, reached.Load())
	proof.Found(t, proof.Finding{Tried: "names that change from a public to a private address", Times: times, Found: "refused when dialled"})
}

// A redirect is followed on the same host alone and without a body, and what it leads
// to is dialled under the same rule.
func TestCalls_AreNotRedirectedToAPrivateAddress(t *testing.T) {
	setNames(t)
	port, reached := inside(t)
	var target string
	var status int
	own := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if own++; r.URL.Path != "/v1/go" {
			return
		}
		w.Header().Set("Location", target)
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	here, err := url.Parse(server.URL)
	require.NoError(t, err)
	times := 0
	for _, status = range []int{301, 302, 303, 307, 308} {
		for _, target = range []string{
			"http://127.0.0.1:" + port + "/", "http://localhost:" + here.Port() + "/", "http://169.254.169.254/latest/meta-data/", "https://" + here.Host + "/", "//127.0.0.1:" + port + "/", "http://user@127.0.0.1:" + port + "/",
			"http://[::1]:" + port + "/", "file:///etc/hostname", "gopher://127.0.0.1:" + port + "/", "http://inside.example:" + port + "/",
		} {
			for _, method := range []string{"GET", "POST", "HEAD", "DELETE"} {
				before := own
				err := call(t, "base_url: "+server.URL+"/v1\nallow_private: true", method, "/go")
				require.Error(t, err, "%s to %s", method, target)
				require.Equal(t, before+1, own, "followed")
				times++
			}
		}
	}
	// The first answer comes from a public host, so it is made up; what it leads to is
	// the same host, whose name has a private address by then.
	client := integrations.NewHTTPClient(integrations.HTTPOptions{PublicOnly: true, Wrap: func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/first" {
				return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"/second"}}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
			}
			return next.RoundTrip(r)
		})
	}})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://inside.example:"+port+"/first", nil)
	require.NoError(t, err)
	_, err = client.Do(request)
	require.ErrorIs(t, err, integrations.ErrPrivateAddress)
	require.Zero(t, reached.Load())
	proof.Found(t, proof.Finding{Tried: "redirects to other hosts, ports, schemes and private addresses", Times: times + 1, Found: "none followed to them"})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A proxy of the environment would do the dialling out of the guard's sight, so calls
// that may only go to public addresses use none. Proxies are read once in a process.
func TestCalls_UseNoProxyOfTheEnvironment(t *testing.T) {
	if os.Getenv(childVariable) == "proxies" {
		setNames(t)
		for _, base := range []string{"http://169.254.169.254", "https://169.254.169.254", "http://inside.example", "https://inside.example", "http://10.0.0.1"} {
			require.ErrorContains(t, call(t, "base_url: "+base, "GET", "/"), "private_address", base)
		}
		t.Log("lived on")
		return
	}
	var proxied atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { proxied.Add(1) }))
	t.Cleanup(proxy.Close)
	for _, variable := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(variable, proxy.URL)
	}
	alone(t, "proxies")
	require.Zero(t, proxied.Load())
	proof.Found(t, proof.Finding{Tried: "calls beside proxies of the environment", Times: 5, Found: "no proxy asked"})
}
