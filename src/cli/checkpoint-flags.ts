/** The flags of `checkpoint` and `restore`, which are not supported yet: engines probe for them. */
import type { Command } from 'commander'
import { collect } from './command.ts'

export function addImageFlags(command: Command): Command {
  return command
    .option('--image-path <dir>', 'directory of the image', './checkpoint')
    .option('--work-path <dir>', "directory of CRIU's logs")
    .option('--parent-path <dir>', 'the image of an earlier --pre-dump')
    .option('--tcp-established', 'with open TCP connections')
    .option('--tcp-skip-in-flight', 'without TCP connections that are not established yet')
    .option('--ext-unix-sk', 'with unix sockets whose other end is outside')
    .option('--link-remap', 'with files that were removed and are open')
    .option('--shell-job', 'with the terminal of a shell')
    .option('--file-locks', 'with file locks')
    .option('--lazy-pages', 'leave memory behind, to be fetched when it is used')
    .option('--manage-cgroups-mode <soft|full|strict|ignore>', 'what is kept of cgroups')
    .option('--empty-ns <network>', 'without what is in this namespace; repeatable', collect, [])
    .option('--network-lock <iptables|nftables|skip>', 'how the network is held meanwhile')
    .option('--auto-dedup', 'remove from the image what has been read')
}
