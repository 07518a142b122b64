package sandbox_test

import (
	"encoding/json"
	"net/http"
	"testing"

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
