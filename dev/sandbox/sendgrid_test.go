package sandbox_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sendgrid/rest"
	"github.com/sendgrid/sendgrid-go"
	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"
	"github.com/sendgrid/sendgrid-go/helpers/mail"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/dev/sandbox"
)

func (h *harness) sendMail(to string) (*rest.Response, error) {
	m := mail.NewSingleEmail(mail.NewEmail("Kettle & Leaf", "shop@example.com"), "Your code", mail.NewEmail("Anna", to), "Use it soon", "<p>Use it <b>soon</b></p>")
	m.Personalizations[0].SetCustomArg("scrip_message", "msg_1")
	m.SetHeader("List-Unsubscribe", "<https://example.com/u/1>")
	request := sendgrid.GetRequest(h.secrets.SendGridAPIKey, "/v3/mail/send", h.base+"/sandbox/api/sendgrid")
	request.Method, request.Body = rest.Post, mail.GetRequestBody(m)
	return sendgrid.API(request)
}

func (h *harness) mailEvents() (names []string) {
	for _, hook := range h.got() {
		var events []map[string]any
		require.NoError(h.t, json.Unmarshal(hook.body, &events))
		for _, e := range events {
			names = append(names, e["event"].(string))
		}
	}
	return names
}

func TestSendGrid_TakesWhatTheSDKSendsAndReportsItSigned(t *testing.T) {
	t.Parallel()
	h := setup(t)
	res, err := h.sendMail("anna@example.com")
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, res.StatusCode)
	id := res.Headers["X-Message-Id"][0]

	require.Equal(t, []string{"processed", "delivered"}, h.mailEvents())
	key, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(h.secrets.SendGridPublicKey)
	require.NoError(t, err)
	for _, hook := range h.got() {
		ok, err := eventwebhook.VerifySignature(key, hook.body,
			hook.header.Get(eventwebhook.VerificationHTTPHeader), hook.header.Get(eventwebhook.TimestampHTTPHeader))
		require.NoError(t, err)
		require.True(t, ok)
		var events []map[string]any
		require.NoError(t, json.Unmarshal(hook.body, &events))
		require.Equal(t, "msg_1", events[0]["scrip_message"])
		require.Contains(t, events[0]["sg_message_id"], id+".")
		require.Equal(t, h.base+"/hooks/email", hook.url)
	}

	m := h.Messages()[0]
	require.Equal(t, id, m.ID)
	require.Equal(t, "anna@example.com", m.To)
	require.Equal(t, "<p>Use it <b>soon</b></p>", m.HTML)
	require.Equal(t, "<https://example.com/u/1>", m.Headers["List-Unsubscribe"])
	require.Equal(t, "delivered", m.Status().Name)
}

func TestSendGrid_TellsOfEventsTogether(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *sandbox.Options) { o.Gather = 500 * time.Millisecond })
	for range 2 {
		_, err := h.sendMail("anna@example.com")
		require.NoError(t, err)
	}
	require.ElementsMatch(t, []string{"processed", "delivered", "processed", "delivered"}, h.mailEvents())
	key, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(h.secrets.SendGridPublicKey)
	require.NoError(t, err)
	require.LessOrEqual(t, len(h.got()), 2, "those of one mail go together at least")
	for _, hook := range h.got() {
		ok, err := eventwebhook.VerifySignature(key, hook.body,
			hook.header.Get(eventwebhook.VerificationHTTPHeader), hook.header.Get(eventwebhook.TimestampHTTPHeader))
		require.NoError(t, err)
		require.True(t, ok)
	}
}

func TestSendGrid_GivesMagicAddressesTheirFate(t *testing.T) {
	t.Parallel()
	for to, want := range map[string][]string{
		"bounce@example.com":     {"processed", "bounce"},
		"block+7@example.com":    {"processed", "bounce"},
		"drop@example.com":       {"processed", "dropped"},
		"defer@example.com":      {"processed", "deferred", "delivered"},
		"spam@example.com":       {"processed", "delivered", "spamreport"},
		"silent@example.com":     nil,
		"somebody@example.com":   {"processed", "delivered"},
		"bouncer.joe@example.de": {"processed", "delivered"},
	} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			_, err := h.sendMail(to)
			require.NoError(t, err)
			require.Equal(t, want, h.mailEvents())
		})
	}
}

func TestSendGrid_RefusesWhatSendGridRefuses(t *testing.T) {
	t.Parallel()
	h := setup(t)
	res, err := h.sendMail("reject@example.com")
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.Contains(t, res.Body, "personalizations.0.to.0.email")
	res, err = h.sendMail("not an address")
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, res.StatusCode)

	h.secrets.SendGridAPIKey = "SG.other"
	res, err = h.sendMail("anna@example.com")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, res.StatusCode)
	require.Empty(t, h.Messages())
}

func TestFaults_FailBeforeOrAfterTheMessageWasTaken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault  sandbox.Fault
		status int // 0: the connection breaks
		taken  int
		events int
	}{
		"away":            {sandbox.Fault{Kind: sandbox.FaultStatus, Status: 503, RetryAfter: 7}, 503, 0, 0},
		"after accepting": {sandbox.Fault{Kind: sandbox.FaultStatus, Status: 500, Accept: true}, 500, 1, 2},
		"truncated":       {sandbox.Fault{Kind: sandbox.FaultTruncated}, 0, 1, 2},
		"reset":           {sandbox.Fault{Kind: sandbox.FaultReset}, 0, 0, 0},
		"silent":          {sandbox.Fault{Kind: sandbox.FaultSilent, Times: 2}, 202, 1, 0},
		"duplicate":       {sandbox.Fault{Kind: sandbox.FaultDuplicate}, 202, 1, 4},
		"twice":           {sandbox.Fault{Kind: sandbox.FaultTwice}, 202, 1, 2},
		"doubled":         {sandbox.Fault{Kind: sandbox.FaultDoubled}, 202, 1, 2},
		"a page":          {sandbox.Fault{Kind: sandbox.FaultHTML}, 200, 0, 0},
		"a page, taken":   {sandbox.Fault{Kind: sandbox.FaultHTML, Accept: true}, 202, 1, 2},
		"early":           {sandbox.Fault{Kind: sandbox.FaultEarly}, 202, 1, 2},
		"late":            {sandbox.Fault{Kind: sandbox.FaultLate, DelayMS: 20}, 202, 1, 2},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			tc.fault.Vendor = "sendgrid"
			require.NoError(t, h.SetFault(tc.fault))
			res, err := h.sendMail("anna@example.com")
			if tc.status == 0 {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
				require.Equal(t, tc.status, res.StatusCode)
			}
			if tc.fault.RetryAfter > 0 {
				require.Equal(t, []string{"7"}, res.Headers["Retry-After"])
			}
			require.Len(t, h.got(), tc.events)
			require.Len(t, h.Messages(), tc.taken)
		})
	}
}

func TestFaults_EndAfterTheirTimes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	require.NoError(t, h.SetFault(sandbox.Fault{Vendor: "sendgrid", Kind: sandbox.FaultStatus, Status: 429, Times: 2}))
	var statuses []int
	for range 3 {
		res, err := h.sendMail("anna@example.com")
		require.NoError(t, err)
		statuses = append(statuses, res.StatusCode)
	}
	require.Equal(t, []int{429, 429, 202}, statuses)
	require.ErrorContains(t, h.SetFault(sandbox.Fault{Vendor: "pigeon", Kind: "status"}), "vendor")
}

func TestFaults_TellAMessagesStoryInAnotherOrder(t *testing.T) {
	t.Parallel()
	h := setup(t)
	require.NoError(t, h.SetFault(sandbox.Fault{Vendor: "sendgrid", Kind: sandbox.FaultReordered}))
	_, err := h.sendMail("defer@example.com")
	require.NoError(t, err)
	require.Equal(t, []string{"delivered", "deferred", "processed"}, h.mailEvents())
	require.Equal(t, "delivered", h.Messages()[0].Status().Name, "the vendor itself knows better")
}

func TestFaults_EarlyWebhooksAreTakenBeforeTheCallIsAnswered(t *testing.T) {
	t.Parallel()
	h := setup(t)
	require.NoError(t, h.SetFault(sandbox.Fault{Vendor: "sendgrid", Kind: sandbox.FaultEarly, Times: 1}))
	_, err := h.sendMail("anna@example.com")
	require.NoError(t, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Len(t, h.hooks, 2)
}

func TestFaults_ARateCanBeChangedWhileItIsInForce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	count := func(n int) (taken int, refused map[string][]string) {
		for range n {
			res, err := h.sendMail("anna@example.com")
			require.NoError(t, err)
			if res.StatusCode == http.StatusAccepted {
				taken++
			} else {
				require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
				refused = res.Headers
			}
		}
		return taken, refused
	}
	rate := func(n int) {
		require.NoError(t, h.SetFault(sandbox.Fault{Vendor: "sendgrid", Kind: sandbox.FaultRate, PerSecond: n}))
	}
	rate(2)
	taken, refused := count(50)
	require.Less(t, taken, 50)
	require.NotEmpty(t, refused["X-Ratelimit-Reset"])
	require.Empty(t, refused["Retry-After"])
	rate(1000)
	require.Len(t, h.Faults(), 1, "the new rate stands in the old one's place")
	taken, _ = count(50)
	require.Equal(t, 50, taken)
}

func TestFaults_RetryAfterCanBeAMoment(t *testing.T) {
	t.Parallel()
	h := setup(t)
	require.NoError(t, h.SetFault(sandbox.Fault{Vendor: "sendgrid", Kind: sandbox.FaultStatus, Status: 429, RetryAfter: 60, RetryDate: true}))
	res, err := h.sendMail("anna@example.com")
	require.NoError(t, err)
	at, err := http.ParseTime(res.Headers["Retry-After"][0])
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Minute), at, 30*time.Second)
}

func TestFaults_AnAnswerThatComesTwiceIsFollowedByTheNext(t *testing.T) {
	t.Parallel()
	h := setup(t)
	require.NoError(t, h.SetFault(sandbox.Fault{Vendor: "sendgrid", Kind: sandbox.FaultTwice, Times: 1}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	body := `{"personalizations":[{"to":[{"email":"a@example.com"}]}],"from":{"email":"shop@example.com"},"subject":"s","content":[{"type":"text/plain","value":"t"}]}`
	answers := bufio.NewReader(conn)
	var ids []string
	for range 2 {
		_, err := fmt.Fprintf(conn, "POST /sandbox/api/sendgrid/v3/mail/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
			h.secrets.SendGridAPIKey, len(body), body)
		require.NoError(t, err)
	}
	for range 3 {
		res, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		ids = append(ids, res.Header.Get("X-Message-Id"))
	}
	require.Equal(t, ids[0], ids[1])
	require.NotEqual(t, ids[1], ids[2])
}

func TestWebhooks_AreSentAgainUntilTheyAreTaken(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.answer = func(n int) int {
		if n == 1 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
	_, err := h.sendMail("anna@example.com")
	require.NoError(t, err)
	require.Len(t, h.got(), 3)
	require.Equal(t, 2, h.Webhooks()[1].Tries)
}
