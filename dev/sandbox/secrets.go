package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
)

// Secrets are what a vendor and its customer share. Each is made once for a
// machine; none of them opens anything outside it.
type Secrets struct {
	SendGridAPIKey     string `json:"sendgrid_api_key"`     // Authorization: Bearer
	SendGridPrivateKey string `json:"sendgrid_private_key"` // PKCS #8, base64; signs the event webhook
	SendGridPublicKey  string `json:"sendgrid_public_key"`  // SPKI, base64; what SendGrid shows its customer
	TwilioAccountSID   string `json:"twilio_account_sid"`
	TwilioAuthToken    string `json:"twilio_auth_token"` // Basic auth, and signs webhooks
	TwilioFrom         string `json:"twilio_from"`       // the number that messages come from
	ShopifyDomain      string `json:"shopify_domain"`
	ShopifyAccessToken string `json:"shopify_access_token"` // X-Shopify-Access-Token
	ShopifyClientID    string `json:"shopify_client_id"`    // client credentials grant
	ShopifyClientKey   string `json:"shopify_client_key"`   // client secret; signs webhooks
}

// LoadSecrets gives the sandbox's secrets, which it makes on the first call and
// keeps in dir/secrets.json, readable by its owner alone.
func LoadSecrets(dir string) (Secrets, error) {
	path := filepath.Join(dir, "secrets.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeSecrets(dir, path)
	}
	if err != nil {
		return Secrets{}, fmt.Errorf("loading the sandbox's secrets: %w", err)
	}
	var s Secrets
	if err := json.Unmarshal(b, &s); err != nil {
		return Secrets{}, fmt.Errorf("loading the sandbox's secrets: %s is damaged; remove it and start again: %w", path, err)
	}
	return s, nil
}

func makeSecrets(dir, path string) (Secrets, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Secrets{}, fmt.Errorf("making the sandbox's secrets: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Secrets{}, fmt.Errorf("making the sandbox's secrets: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return Secrets{}, fmt.Errorf("making the sandbox's secrets: %w", err)
	}
	s := Secrets{
		SendGridAPIKey:     "SG.sandbox." + rand.Text(),
		SendGridPrivateKey: base64.StdEncoding.EncodeToString(private),
		SendGridPublicKey:  base64.StdEncoding.EncodeToString(public),
		TwilioAccountSID:   "AC" + randomHex(16),
		TwilioAuthToken:    randomHex(16),
		TwilioFrom:         "+15005550006",
		ShopifyDomain:      "sandbox.myshopify.com",
		ShopifyAccessToken: "shpat_" + randomHex(16),
		ShopifyClientID:    randomHex(16),
		ShopifyClientKey:   "shpss_" + randomHex(16),
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return Secrets{}, fmt.Errorf("making the sandbox's secrets: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Secrets{}, fmt.Errorf("keeping the sandbox's secrets: %w", err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return Secrets{}, fmt.Errorf("keeping the sandbox's secrets: %w", err)
	}
	return s, nil
}

// signer signs SendGrid's event webhook.
type signer struct{ key *ecdsa.PrivateKey }

func newSigner(private string) (signer, error) {
	der, err := base64.StdEncoding.DecodeString(private)
	if err != nil {
		return signer{}, fmt.Errorf("reading the event webhook's private key: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return signer{}, fmt.Errorf("reading the event webhook's private key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return signer{}, errors.New("reading the event webhook's private key: it is not an ECDSA key")
	}
	return signer{key}, nil
}

// sign gives the base64 of the signature over timestamp and body.
func (s signer) sign(timestamp string, body []byte) (string, error) {
	sum := sha256.Sum256(append([]byte(timestamp), body...))
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	return base64.StdEncoding.EncodeToString(sig), err
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func randomBelow(n int64) int64 {
	r, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err) // crypto/rand doesn't fail
	}
	return r.Int64()
}
