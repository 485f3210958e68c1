/* main.c — assay-signer: the only program that holds issuing keys. It takes orders from the
 * issuance stream, decides each one again and signs. No network: PostgreSQL and Redis over Unix
 * sockets. */
#include "workers/signer/signer.h"

int main(int argc, char **argv)
{
	return worker_main(argc, argv, &signer_ops);
}
