// Reads a connect.yaml on standard input as Connect does, and prints it as JSON; what Connect refuses is printed as {"refused": ...}.
import { readFileSync } from "node:fs";
import { ConnectorSpecificationParseError, ConnectorSpecificationParser } from "@commercetools-connect/specification";

try {
  console.log(JSON.stringify(await new ConnectorSpecificationParser().parse(readFileSync(0, "utf8"))));
} catch (error) {
  if (!(error instanceof ConnectorSpecificationParseError)) throw error;
  console.log(JSON.stringify({ refused: error.message }));
}
