#include "shell/provider/verbs.h"

int main(int argc, char** argv) { return paygress::daemon::run_command_line(argc, argv); }
