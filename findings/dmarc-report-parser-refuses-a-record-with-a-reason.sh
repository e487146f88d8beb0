#!/bin/sh
# A whole report is refused because one of its records says why a policy was not followed.
#
# Version: dmarc-report-parser 0.1.5 (npm).
# Behaviour: a receiver may give reasons why it did not follow the policy, each with a type and a comment, and as many as it
#   likes (RFC 7489, Appendix C, `reason` of PolicyEvaluatedType). The parser wants a word where the schema has an element with
#   a type inside, and refuses the report for one such record, with all others in it. Reasons are what receivers have for mail
#   of lists and for mail that was forwarded.
# Guess: the reasons of the record, or the record without them.
# Seen:
#     none: 1 record, {"disposition":"none","dkim":"fail","spf":"fail"}
#     one: refused, invalid_type at record.0.row.0.policy_evaluated.0.reason.0.type
#     two: refused, invalid_type at record.0.row.0.policy_evaluated.0.reason.0.type
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund dmarc-report-parser@0.1.5
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { parseDmarcReportsFromXml } from "dmarc-report-parser";

const reason = (type) => `<reason><type>${type}</type><comment>known</comment></reason>`;
const report = (reasons) => `<feedback><version>1.0</version>
<report_metadata><org_name>Receiver</org_name><email>dmarc@example.net</email><report_id>1</report_id>
<date_range><begin>1764547200</begin><end>1764633599</end></date_range></report_metadata>
<policy_published><domain>example.com</domain><p>none</p></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>2</count>
<policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf>${reasons}</policy_evaluated></row>
<identifiers><header_from>example.com</header_from></identifiers>
<auth_results><spf><domain>example.com</domain><result>fail</result></spf></auth_results></record></feedback>`;

for (const [name, reasons] of [
    ["none", ""],
    ["one", reason("forwarded")],
    ["two", reason("forwarded") + reason("mailing_list")],
]) {
    const seen = await parseDmarcReportsFromXml([report(reasons)]).then(
        ({ reports }) => `${reports[0].record.length} record, ${JSON.stringify(reports[0].record[0].row.policyEvaluated)}`,
        (error) => `refused, ${error.issues?.[0].code} at ${error.issues?.[0].path.join(".")}`,
    );
    console.log(`${name}: ${seen}`);
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
