/** What an operator can do about a connection that failed, by the code of its error. */
export function connectionProblem(code: string): string {
  if (/CERT|SELF_SIGNED|UNABLE_TO_/.test(code)) {
    return `its certificate is not trusted (${code}): let NODE_EXTRA_CA_CERTS name the file of its authority`;
  }
  if (/EPROTO|ERR_SSL_/.test(code)) {
    return `it does not speak TLS as it should (${code}): is its URL one of http://?`;
  }
  return `it can not be reached (${code}): is its URL right, and may this machine connect to it?`;
}
